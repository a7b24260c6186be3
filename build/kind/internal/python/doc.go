// Package python makes environments for apps in Python: what they import, the
// agent server that runs them, and their own packages.
//
//	<cache>/python-locks/<inputs>            which packages an app and its server come to, once resolved
//	<cache>/dependencies/python-<lock>/site  those packages, compiled, shared by all apps that come to the same
//	<app>/.slipway/site                      the app's own packages: names and places, no copies
//	<app>/.slipway/requirements.txt          its lock, so that what is shared can be made again
//
// There is no virtual environment, which would be bound to one path and one
// patch version of Python. An agent is started by the interpreter alone, without
// what is installed for that, and its launcher puts both sites in sys.path.
//
// The server's packages are at the versions of its own lock unless the app wants
// others; what has a version of that lock must have its digest too. Packages of
// registries are installed as they are, by wheels, and nothing of them runs; only
// who has none for this machine, and the app's own packages, run code to be
// built (Maker.build). The two are apart so that they can be confined
// differently.
package python
