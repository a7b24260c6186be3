package toolchain

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
)

// trustMore trusts, beside the machine's authorities, those that Node, npm
// and pip are told to trust: behind a company's proxy they are all that works.
func trustMore(transport *http.Transport) error {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return err
	}
	for _, name := range []string{"NODE_EXTRA_CA_CERTS", "npm_config_cafile", "NPM_CONFIG_CAFILE", "PIP_CERT"} {
		file := os.Getenv(name)
		if file == "" {
			continue
		}
		certificates, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		pool.AppendCertsFromPEM(certificates)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return nil
}
