// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package stssim

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// Config is the file that the command reads: the Options of the same names.
type Config struct {
	Clients         []Client   `json:"clients,omitempty"`
	Rules           []Rule     `json:"rules,omitempty"`
	Throttles       []Throttle `json:"throttles,omitempty"`
	MultilineErrors bool       `json:"multilineErrors,omitempty"`
}

// ParseConfig reads YAML or JSON. A field that it doesn't know is an error.
func ParseConfig(data []byte) (Config, error) {
	var config Config
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		return Config{}, fmt.Errorf("parsing configuration: %w", err)
	}
	return config, nil
}
