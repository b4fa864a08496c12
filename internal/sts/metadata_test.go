// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package sts_test

import (
	"testing"

	"tokenrequest.dev/operator/internal/sts"
)

func TestMetadataEndpoints(t *testing.T) {
	plain := sts.Metadata{TokenEndpoint: "token", DeviceAuthorizationEndpoint: "device"}
	both := plain
	both.MTLSTokenEndpoint, both.MTLSDeviceAuthorizationEndpoint = "mtls token", "mtls device"
	half := sts.Metadata{TokenEndpoint: "token", MTLSTokenEndpoint: "mtls token"}
	tests := map[string]struct {
		metadata      sts.Metadata
		auth          sts.AuthMethod
		token, device string
	}{
		"a certificate goes where certificates are read":  {both, sts.AuthTLSClient, "mtls token", "mtls device"},
		"a certificate goes to the one there is":          {plain, sts.AuthTLSClient, "token", "device"},
		"a certificate has no device endpoint where none": {half, sts.AuthTLSClient, "mtls token", ""},
		"a secret goes elsewhere":                         {both, sts.AuthClientSecretBasic, "token", "device"},
		"a public client too":                             {both, sts.AuthNone, "token", "device"},
		"a signed assertion too":                          {half, sts.AuthPrivateKeyJWT, "token", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if token, device := tc.metadata.Endpoints(tc.auth); token != tc.token || device != tc.device {
				t.Errorf("Endpoints = %q, %q, want %q, %q", token, device, tc.token, tc.device)
			}
		})
	}
}
