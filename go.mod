module github.com/slipwayhq/slipway

go 1.26.0

require (
	github.com/Masterminds/semver/v3 v3.5.0
	golang.org/x/sys v0.49.0
)
