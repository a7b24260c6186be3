package slipway

import (
	"regexp"
	"slices"
	"strings"
)

// EnvVar is one variable of an agent.
type EnvVar struct {
	Name, Value string
	// Public values may be quoted in reasons; all others are masked.
	Public bool
}

// MaskedValue stands for a secret value in answers; sent back, it means
// "unchanged".
const MaskedValue = "********"

// buildPrefix begins the names of variables that are given to builds, without
// it, and never to agents.
const buildPrefix = "BUILD_SECRET_"

// ForBuilds parts the variables of a deployment: those for its builds, by the
// names that a build sees, and those for its agents.
func ForBuilds(vars []EnvVar) (builds, agents []EnvVar) {
	for _, v := range vars {
		if name, ok := strings.CutPrefix(v.Name, buildPrefix); ok && name != "" {
			builds = append(builds, EnvVar{Name: name, Value: v.Value})
		} else {
			agents = append(agents, v)
		}
	}
	return builds, agents
}

// SecretRef names a secret kept by a cluster.
type SecretRef struct{ Name, SecretName, SecretKey string }

// Where an agent's traces go, and its key for that place. Clients may set both.
const (
	TracesEndpointVariable = "LANGSMITH_ENDPOINT"
	TracesKeyVariable      = "LANGSMITH_API_KEY"
)

// Variables that a client may not set: they are ours (contract §3).
var reservedVars = strings.Fields(`
	LANGCHAIN_TRACING_V2 LANGSMITH_TRACING_V2 LANGCHAIN_ENDPOINT LANGCHAIN_PROJECT LANGSMITH_PROJECT LANGSMITH_LANGGRAPH_GIT_REPO
	LANGGRAPH_GIT_REPO_PATH LANGCHAIN_API_KEY LANGSMITH_CONTROL_PLANE_API_KEY POSTGRES_URI POSTGRES_PASSWORD DATABASE_URI
	LANGSMITH_LANGGRAPH_GIT_REF LANGSMITH_LANGGRAPH_GIT_REF_SHA LANGGRAPH_AUTH_TYPE LANGSMITH_AUTH_ENDPOINT LANGSMITH_TENANT_ID
	LANGSMITH_AUTH_VERIFY_TENANT_ID LANGSMITH_HOST_PROJECT_ID LANGSMITH_HOST_PROJECT_NAME LANGSMITH_HOST_REVISION_ID LOG_JSON
	LOG_DICT_TRACEBACKS REDIS_URI LANGCHAIN_CALLBACKS_BACKGROUND DD_TRACE_PSYCOPG_ENABLED DD_TRACE_REDIS_ENABLED
	LANGSMITH_DEPLOYMENT_NAME LANGGRAPH_CLOUD_LICENSE_KEY PATH PORT`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxVariable is what the kernel takes of one variable, name and value, in bytes.
const maxVariable = 128<<10 - 2

// CheckVariables refuses names that are reserved or that no process could have.
func CheckVariables(vars []EnvVar) error {
	for _, v := range vars {
		if err := checkVariableName(v.Name); err != nil {
			return err
		}
		switch {
		case strings.ContainsRune(v.Value, 0):
			return Errorf(CodeInvalid, "The value of environment variable '%s' contains a null byte.", v.Name)
		case len(v.Name)+len(v.Value) > maxVariable:
			return Errorf(CodeInvalid, "The value of environment variable '%s' is larger than 128 KiB, which no process can be given.", v.Name)
		}
	}
	return nil
}

// CheckRefs refuses names as CheckVariables does.
func CheckRefs(refs []SecretRef) error {
	for _, r := range refs {
		if err := checkVariableName(r.Name); err != nil {
			return err
		}
	}
	return nil
}

func checkVariableName(name string) error {
	switch {
	case !variableName.MatchString(name):
		return Errorf(CodeInvalid, "Invalid environment variable name %q: use letters, digits and '_', not beginning with a digit.", name)
	case slices.Contains(reservedVars, name), strings.HasPrefix(name, "SLIPWAY_"):
		return Errorf(CodeInvalid, "Environment variable '%s' is reserved and cannot be set.", name)
	}
	if build, ok := strings.CutPrefix(name, buildPrefix); ok && build != "" {
		return checkVariableName(build)
	}
	return nil
}

// Variables that name databases which a client brings. Once set they stay set:
// command lines drop these names from every set that they send (contract §3).
const (
	OwnPostgres = "POSTGRES_URI_CUSTOM"
	OwnRedis    = "REDIS_URI_CUSTOM"
)

// NamesDatabase says whether a variable names a database that a client brings.
func NamesDatabase(variable string) bool { return variable == OwnPostgres || variable == OwnRedis }

// Brings says which databases variables name.
func Brings(vars []EnvVar) Needs {
	return Needs{Postgres: ValueOf(vars, OwnPostgres) != "", Redis: ValueOf(vars, OwnRedis) != ""}
}

// ValueOf returns the value of a variable, "" for none.
func ValueOf(vars []EnvVar, name string) (value string) {
	for _, v := range vars {
		if v.Name == name {
			value = v.Value
		}
	}
	return value
}

// KeepDatabases adds to a new set of variables those for the client's own
// databases that it lacks, or holds without a value.
func KeepDatabases(old, given []EnvVar) []EnvVar {
	kept := slices.Clone(given)
	for _, v := range old {
		if !NamesDatabase(v.Name) {
			continue
		}
		kept = slices.DeleteFunc(kept, func(g EnvVar) bool { return g.Name == v.Name && g.Value == "" })
		if !slices.ContainsFunc(kept, func(g EnvVar) bool { return g.Name == v.Name }) {
			kept = append(kept, v)
		}
	}
	return kept
}
