// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// place is where a value of a spec stands: the keys that lead to it, strings for the fields of an
// object and the keys of a map, ints for the items of a list.
type place struct {
	keys []any
	// values tells, of each key, whether it is the key of a map.
	mapped []bool
	node   *schema
	value  any
}

// places returns every place of a spec's value.
func places(node *schema, spec any) []place {
	return place{keys: []any{"spec"}, mapped: []bool{false}, node: node, value: spec}.all()
}

func (p place) all() []place {
	all := []place{p}
	switch value := p.value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			node, mapped := p.node.Properties[key], false
			if node == nil {
				node, mapped = p.node.Values, true
			}
			if node != nil {
				all = append(all, p.below(key, mapped, node, value[key]).all()...)
			}
		}
	case []any:
		for i, item := range value {
			all = append(all, p.below(i, false, p.node.Items, item).all()...)
		}
	}
	return all
}

func (p place) below(key any, mapped bool, node *schema, value any) place {
	return place{
		keys:   append(slices.Clone(p.keys), key),
		mapped: append(slices.Clone(p.mapped), mapped),
		node:   node,
		value:  value,
	}
}

// path is the schema's path, as walk writes it.
func (p place) path() string {
	var path strings.Builder
	for i, key := range p.keys {
		switch _, index := key.(int); {
		case index:
			path.WriteString("[]")
		case p.mapped[i]:
			path.WriteString("{}")
		default:
			fmt.Fprintf(&path, ".%s", key)
		}
	}
	return strings.TrimPrefix(path.String(), ".")
}

// field is the place as the API server names it.
func (p place) field() string {
	var path strings.Builder
	for _, key := range p.keys {
		if _, index := key.(int); index {
			fmt.Fprintf(&path, "[%d]", key)
		} else {
			fmt.Fprintf(&path, ".%s", key)
		}
	}
	return strings.TrimPrefix(path.String(), ".")
}

// absent removes what replace puts it in the place of.
type absent struct{}

// replace returns a copy of object with value at keys.
func replace(object any, keys []any, value any) any {
	if len(keys) == 0 {
		return value
	}
	switch object := object.(type) {
	case map[string]any:
		copied := maps.Clone(object)
		key := keys[0].(string)
		if _, gone := value.(absent); gone && len(keys) == 1 {
			delete(copied, key)
		} else {
			copied[key] = replace(copied[key], keys[1:], value)
		}
		return copied
	case []any:
		copied := slices.Clone(object)
		index := keys[0].(int)
		copied[index] = replace(copied[index], keys[1:], value)
		return copied
	}
	panic(fmt.Sprintf("%v leads into a %T", keys, object))
}
