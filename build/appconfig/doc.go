// Package appconfig reads langgraph.json, the file that says what an app is.
//
// It takes the file as its users write it: keys that it does not know are left
// alone, and only what a build needs is checked. What is wrong is a
// *slipway.Failure that names the file and the place in it and quotes the
// parser's own words.
package appconfig
