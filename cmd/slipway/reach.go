package main

import (
	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/internal/daemon"
)

// reachFlags say how a server is reached.
type reachFlags struct {
	agents daemon.Agents
	tls    daemon.TLS
}

func (f *reachFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.agents.Listen, "gateway-listen", "", "address for agents alone; --listen then serves the API only")
	flags.StringVar(&f.agents.URL, "gateway-url", "", "where clients reach --gateway-listen (default: as --public-url, with its port)")
	flags.BoolVar(&f.tls.ACME, "tls", false, "speak TLS, with certificates by ACME for the public name and for <deployment>.<domain>")
	flags.StringVar(&f.tls.Directory, "acme-directory", "", "certificate authority to have them from (default Let's Encrypt)")
	flags.StringVar(&f.tls.Roots, "acme-ca-root", "", "file with the certificate that vouches for --acme-directory, in PEM (default: the system's)")
	flags.StringVar(&f.tls.Email, "acme-email", "", "address that the certificate authority may write to")
	flags.StringVar(&f.tls.Cert, "tls-cert", "", "speak TLS with the certificate in this file, in PEM with its chain; read again when it changes")
	flags.StringVar(&f.tls.Key, "tls-key", "", "file with the key of --tls-cert")
	flags.StringVar(&f.tls.PlainListen, "http-listen", "", "address where HTTP leads to HTTPS and the certificate authority may ask, such as :80")
}

// check finds flags that say nothing together.
func (f reachFlags) check() error {
	t := f.tls
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return usagef("--tls-cert and --tls-key go together")
	case t.ACME && t.Cert != "":
		return usagef("--tls has certificates by ACME, --tls-cert from a file: give one of them")
	case !t.ACME && t.Directory+t.Roots+t.Email != "":
		return usagef("--acme-directory, --acme-ca-root and --acme-email are for --tls")
	case !t.ACME && t.Cert == "" && t.PlainListen != "":
		return usagef("--http-listen is for --tls and --tls-cert: without them --listen speaks HTTP")
	case f.agents.URL != "" && f.agents.Listen == "":
		return usagef("--gateway-url is for --gateway-listen")
	}
	return nil
}
