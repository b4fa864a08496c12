// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package oautherr

import "slices"

// Class says who can end a failure.
type Class string

// The classes, as status.lastError.class shows them.
const (
	// Configuration: the spec, the issuer or the client's registration is wrong.
	Configuration Class = "Configuration"
	// Credential: what the client or the grant presents is wrong or expired.
	Credential Class = "Credential"
	// InteractionRequired: a user has to sign in.
	InteractionRequired Class = "InteractionRequired"
	// Permission: an administrator or a policy of the token service forbids it.
	Permission Class = "Permission"
	// Throttled: the token service asks to be called less.
	Throttled Class = "Throttled"
	// Transient: nobody; the same request is expected to pass later.
	Transient Class = "Transient"
	// Client: the operator sent what it should not have, or gave up itself.
	Client Class = "Client"
)

var classes = []Class{Configuration, Credential, InteractionRequired, Permission, Throttled, Transient, Client}

func (c Class) known() bool { return slices.Contains(classes, c) }
