package daemon

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway/certificate"
)

// TLS says where certificates come from: from files or from an authority. The
// zero value is for HTTP only.
type TLS struct {
	Cert, Key   string // files in PEM, read again when they change
	ACME        bool   // or by ACME, for every name that is served
	Directory   string // URL of the authority; "" for Let's Encrypt
	Roots       string // file that vouches for the authority; "" for the system's roots
	Email       string // for the authority, or ""
	PlainListen string // host:port where HTTP leads to HTTPS and the authority may ask; "" for none

	renewalWindow float64 // as certificate.Config has it
}

func (t TLS) on() bool { return t.ACME || t.Cert != "" }

// certificates are those of a server's names.
type certificates interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Covers(name string) bool
	Protocols() []string
	Challenges(rest http.Handler) http.Handler
	Close()
}

// checkNames finds what can not work, before anything is made.
func (c Config) checkNames() error {
	if !c.TLS.on() {
		return nil
	}
	if strings.HasPrefix(c.PublicURL, "http:") || strings.HasPrefix(c.Agents.URL, "http:") {
		return errors.New("with TLS the public URLs begin with https://")
	}
	main := c.mainName()
	if c.Domain != "" && strings.HasSuffix(main, "."+c.domain()) {
		return fmt.Errorf("%s is a name of an agent in the domain %s: give agents a domain of their own, such as agents.%s", main, c.Domain, c.Domain)
	}
	if c.TLS.ACME && main == "" {
		return errors.New("certificates are for names: give one with --domain or --public-url")
	}
	return nil
}

// mainName is the name of the API, "" if only an address is known.
func (c Config) mainName() string {
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		if net.ParseIP(u.Hostname()) != nil {
			return ""
		}
		return strings.ToLower(u.Hostname())
	}
	return c.domain()
}

// openNames opens the certificates of the server's names.
func (s *Server) openNames(context.Context) (err error) {
	t := s.config.TLS
	switch {
	case !t.on():
		return nil
	case t.Cert != "":
		s.names, err = certificate.OpenFiles(t.Cert, t.Key, s.config.Logger)
	default:
		s.names, err = s.openAuthority()
	}
	if err != nil {
		return err
	}
	s.secure()
	return nil
}

func (s *Server) openAuthority() (certificates, error) {
	t, plain := s.config.TLS, 0
	if s.doors.plain != nil {
		plain = s.doors.plain.port()
	}
	return certificate.OpenAuthority(certificate.Config{
		Dir: certificatesFolder(s.config.Data), Directory: t.Directory, Roots: t.Roots, Email: t.Email,
		Default: s.config.mainName(), Decide: s.isOurs, PlainPort: plain, Port: s.doors.main.port(),
		RenewalWindow: t.renewalWindow, Logger: s.config.Logger,
	})
}

// isOurs returns an error unless a certificate may be had for a name: that of
// the API, and those of agents that there are.
func (s *Server) isOurs(ctx context.Context, name string) error {
	if name == s.config.mainName() {
		return nil
	}
	if u, err := url.Parse(s.config.Agents.URL); err == nil && u.Host != "" && name == u.Hostname() {
		return nil
	}
	if err := s.gateway.Serves(ctx, name); err != nil {
		return err
	}
	return s.service.PlanCertificate(ctx, name)
}

func certificatesFolder(data string) string { return filepath.Join(data, "certificates") }

// given are the certificates that an authority has given, which may not be open
// any more.
type given struct {
	certificate.Folder
	authority *certificate.Authority
}

func (g given) Remove(ctx context.Context, name string) error {
	if g.authority != nil {
		g.authority.Forget(name)
	}
	return g.Folder.Remove(ctx, name)
}

// adoptCertificates is for those of deployments that are there already.
func (s *Server) adoptCertificates(ctx context.Context) error {
	names, err := s.given().Names(ctx)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		slug, below := strings.CutSuffix(name, "."+s.config.domain())
		return !below || strings.Contains(slug, ".")
	})
	return s.service.AdoptCertificates(ctx, names)
}

func (s *Server) given() given {
	authority, _ := s.names.(*certificate.Authority)
	return given{certificate.FolderAt(certificatesFolder(s.config.Data)), authority}
}

// URL is where the server is reached, without a slash at its end. One that
// listens on every address says so only to this machine: others need PublicURL.
func (s *Server) URL() string { return cmp.Or(s.publicURL(), "http://"+s.doors.main.address()) }

// publicURL is what clients were told, or is known by the name in the server's
// certificate; "" if all that is known is an address, and no TLS.
func (s *Server) publicURL() string {
	name, main := s.config.mainName(), s.doors.main
	switch {
	case s.config.PublicURL != "":
		return strings.TrimRight(s.config.PublicURL, "/")
	case !s.config.TLS.on():
		return ""
	case name != "" && s.covers(name):
		return at("https", name, main.port())
	}
	return "https://" + main.address()
}

func (s *Server) covers(name string) bool { return s.names != nil && s.names.Covers(name) }

// agentsURL is what the paths of agents follow.
func (s *Server) agentsURL() string {
	apart, public := s.doors.agents, s.publicURL()
	switch {
	case s.config.Agents.URL != "":
		return strings.TrimRight(s.config.Agents.URL, "/")
	case apart == nil:
		return s.URL()
	case public == "":
		return "http://" + apart.address()
	}
	u, err := url.Parse(public)
	if err != nil {
		return s.URL()
	}
	return at(u.Scheme, u.Hostname(), apart.port())
}

// deploymentURL is where a deployment is reached: by a name of its own if
// clients can trust that, which they can as far as our certificates go. Who ends
// TLS before us may know no such names, and so path and all stay as they are.
func (s *Server) deploymentURL(slug string) string {
	base := s.agentsURL()
	if name := slug + "." + s.config.domain(); s.config.Domain != "" && s.covers(name) {
		return "https://" + name + portOf(base)
	}
	return base + "/d/" + slug
}

func (c Config) domain() string { return strings.ToLower(strings.Trim(c.Domain, ".")) }

// address is where this machine reaches a door.
func (d *door) address() string {
	tcp := d.Addr().(*net.TCPAddr)
	if tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return tcp.String()
}

// at is a URL without a path; the usual port is left out.
func at(scheme, host string, port int) string {
	if scheme == "https" && port == 443 || scheme == "http" && port == 80 {
		return (&url.URL{Scheme: scheme, Host: strings.TrimSuffix(net.JoinHostPort(host, ""), ":")}).String()
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// portOf is the port of an https URL as the end of its host, "" for the usual
// one.
func portOf(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Port() == "" || u.Port() == "443" {
		return ""
	}
	return ":" + u.Port()
}
