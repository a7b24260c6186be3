package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// connectWithin bounds one attempt to connect, unless the URL says otherwise.
const connectWithin = 5 * time.Second

var errURL = errors.New("the URL of the database can not be read: want postgres://user:password@host:port/name, with what is special in the password written as %XX")

// parse reads the URL of a database. What the libraries say of a bad one may
// quote it: it is passed on only where it can not hold the password.
func parse(text string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errURL
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		if _, secret := u.User.Password(); secret || u.Query().Has("password") {
			return nil, errURL
		}
		return nil, fmt.Errorf("%w: %w", errURL, err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	config.RuntimeParams["application_name"] = "slipway"
	return config, nil
}

// place is where a database is, for people.
func place(c *pgx.ConnConfig) string {
	if strings.HasPrefix(c.Host, "/") {
		return c.Host + ":" + strconv.Itoa(int(c.Port)) + "/" + c.Database
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}
