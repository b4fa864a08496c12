// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package outcomes_test

import (
	"net/http"
	"strings"

	"tokenrequest.dev/operator/test/stssim"
)

// success is the one path at whose end the token is where it belongs.
const success = "a token response"

// response is a token response with everything in it.
func response(c canaries) string { return responseWith(c, nil) }

// responseWith is a token response with other members; nil takes one away.
func responseWith(c canaries, change map[string]any) string {
	body := map[string]any{"access_token": c.token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": c.refresh, "id_token": c.id}
	for name, value := range change {
		body[name] = value
		if value == nil {
			delete(body, name)
		}
	}
	return marshal(body)
}

// tokenPaths are answers that hold a token.
func tokenPaths() []leakPath {
	answer := func(name string, act func(c canaries) stssim.Action) leakPath {
		return pathOf(name, word, func(c canaries) row { return row{act: act(c)} })
	}
	changed := func(name string, change func(c canaries) map[string]any) leakPath {
		return answer(name, func(c canaries) stssim.Action { return stssim.Action{Body: responseWith(c, change(c))} })
	}
	refusal := func(name string, change func(c canaries) map[string]any) leakPath {
		return answer(name, func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusBadRequest, Body: responseWith(c, change(c))}
		})
	}
	return []leakPath{
		changed(success, func(canaries) map[string]any { return nil }),
		answer("a token response that is truncated", func(c canaries) stssim.Action {
			return stssim.Action{Body: response(c) + strings.Repeat(" ", 4<<10), Truncate: true}
		}),
		answer("a token response that is too long", func(c canaries) stssim.Action {
			return stssim.Action{Body: response(c) + strings.Repeat(" ", 2<<20)}
		}),
		answer("a token response with something behind", func(c canaries) stssim.Action {
			return stssim.Action{Body: response(c) + c.token}
		}),
		answer("a token in HTML", func(c canaries) stssim.Action {
			return stssim.Action{Status: http.StatusOK, Body: "<html>" + c.token + c.refresh + "</html>", ContentType: "text/html"}
		}),
		answer("a token as a JSON string", func(c canaries) stssim.Action { return stssim.Action{Body: marshal(c.token)} }),
		answer("a token in a list", func(c canaries) stssim.Action { return stssim.Action{Body: "[" + response(c) + "]"} }),
		answer("two tokens", func(c canaries) stssim.Action {
			return stssim.Action{Body: `{"access_token":"` + c.id + `",` + response(c)[1:]}
		}),
		changed("a token response without a type", func(canaries) map[string]any { return map[string]any{"token_type": nil} }),
		changed("a token response with an error", func(canaries) map[string]any { return map[string]any{"error": "server_error"} }),
		changed("a token response with an error that is an object", func(c canaries) map[string]any {
			return map[string]any{"error": map[string]any{"message": c.token}}
		}),
		changed("a token with a control character", func(c canaries) map[string]any {
			return map[string]any{"access_token": c.token + "\n" + c.assertion}
		}),
		changed("a token for its own type", func(c canaries) map[string]any { return map[string]any{"token_type": c.token} }),
		changed("a secret for a type", func(c canaries) map[string]any { return map[string]any{"token_type": c.secret} }),
		changed("a token for its own scope", func(c canaries) map[string]any { return map[string]any{"scope": "read " + c.token} }),
		changed("a secret for a scope", func(c canaries) map[string]any { return map[string]any{"scope": "read " + c.secret} }),
		changed("a refresh token for a scope", func(c canaries) map[string]any { return map[string]any{"scope": c.refresh} }),
		changed("a token for its own life", func(c canaries) map[string]any {
			return map[string]any{"expires_in": c.token, "refresh_in": c.token, "expires_on": c.token}
		}),
		changed("a token for its own issued type", func(c canaries) map[string]any { return map[string]any{"issued_token_type": c.token} }),
		refusal("a refusal that shows its tokens", func(c canaries) map[string]any {
			return map[string]any{"error": "invalid_grant", "error_description": "Old " + c.token + ", " + c.refresh + " and " + c.id, "suberror": c.token}
		}),
		refusal("a refusal with a token for a trace", func(c canaries) map[string]any {
			return map[string]any{"error": "invalid_grant", "trace_id": c.token, "correlation_id": c.token}
		}),
		pathOf("a token whose Secret is somebody else's", word, func(c canaries) row {
			return row{act: stssim.Action{Body: response(c)}, with: somebodyElses}
		}),
		pathOf("a token whose Secret is refused", word, func(c canaries) row {
			return row{act: stssim.Action{Body: response(c)}, spec: registryOf("the password is {{ .AccessToken }}")}
		}),
		pathOf("a token that a template can't write", word, func(c canaries) row {
			return row{act: stssim.Action{Body: response(c)}, spec: shapedAs(`{{ print "a b" .AccessToken | netrc }}`)}
		}),
	}
}
