package database

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

const prefix = "slipway_"

// ownerName is that of the owner of all that a deployment has, and of its database.
func ownerName(d slipway.DeploymentID) string {
	return prefix + strings.ReplaceAll(string(d), "-", "")
}

func loginName(d slipway.DeploymentID, number int) string {
	return ownerName(d) + "_" + strconv.Itoa(number)
}

// keeperName is that of the login by which dumps are written and read.
func keeperName(d slipway.DeploymentID) string { return ownerName(d) + "_keeper" }

// Names of the databases that stand beside the one while a dump is read.
func newName(d slipway.DeploymentID) string { return ownerName(d) + "_new" }
func oldName(d slipway.DeploymentID) string { return ownerName(d) + "_old" }

var ourName = regexp.MustCompile(`^` + prefix + `[0-9a-f]{32}(_keeper|_new|_old|_[1-9][0-9]*)?$`)

// loginNumber reads the number back; 0 for what is no numbered login.
func loginNumber(d slipway.DeploymentID, role string) int {
	text, ok := strings.CutPrefix(role, ownerName(d)+"_")
	number, err := strconv.Atoi(text)
	if !ok || err != nil || loginName(d, number) != role {
		return 0
	}
	return number
}

// ownerOf is the name that the owner of a database by a name of ours has, "" for
// other names.
func ownerOf(name string) string {
	if !ourName.MatchString(name) {
		return ""
	}
	return name[:len(prefix)+32]
}

// label is the comment on all that is ours.
type label struct {
	deployment slipway.DeploymentID
	owner      string // the installation
	made       time.Time
}

func (l label) String() string {
	return fmt.Sprintf("slipway deployment=%s installation=%q made=%s", l.deployment, l.owner, l.made.UTC().Format(time.RFC3339))
}

// readLabel reads a comment; not ok if it is not exactly a label.
func readLabel(comment string) (l label, ok bool) {
	var made string
	if _, err := fmt.Sscanf(comment, "slipway deployment=%s installation=%q made=%s", &l.deployment, &l.owner, &made); err != nil {
		return label{}, false
	}
	var err error
	l.made, err = time.Parse(time.RFC3339, made)
	return l, err == nil && slipway.IsID(string(l.deployment)) && l.String() == comment
}

// owns says whether a thing of that name and label can be one of its deployment's.
func (l label) owns(name string) bool {
	return ourName.MatchString(name) && (name == ownerName(l.deployment) || strings.HasPrefix(name, ownerName(l.deployment)+"_"))
}
