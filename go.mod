module github.com/slipwayhq/slipway

go 1.26
