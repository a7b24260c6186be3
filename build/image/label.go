package image

// Labels of images that are ours.
const (
	labelOwner = "dev.slipway.installation"
	labelKey   = "dev.slipway.key"
)
