// What is shipped beside the operator's code: its image, its bill of materials and the licences of what
// is linked into it. A module of its own, so that the operator's names nothing that only this needs.
module tokenrequest.dev/operator/hack/supply

go 1.26.0

require github.com/google/licensecheck v0.3.1

require golang.org/x/crypto/x509roots/fallback v0.0.0-20261030153154-30a33513ff6d
