package image

// Labels of images that are ours. Containers have the labels of their images, so
// these are none that a driver goes by.
const (
	labelOwner = "slipway.image.owner"
	labelKey   = "slipway.image.key"
)
