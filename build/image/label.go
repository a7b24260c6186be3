package image

// Labels of images that are ours. Containers have the labels of their images, so
// these are none that a driver goes by.
const (
	labelOwner = "slipway.image.owner"
	labelKey   = "slipway.image.key"
)

// labelControl is one that a driver does go by: argv of a program in the image that
// passes on what its agent is asked, from its standard input to the control socket.
const labelControl = "slipway.control"
