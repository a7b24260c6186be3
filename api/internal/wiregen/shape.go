package main

import (
	"regexp"
	"strings"
)

type object = map[string]any

var notWord = regexp.MustCompile(`\W`)

func shortenOperations(doc object) {
	eachOperation(doc, func(path, method string, op object) {
		tail := notWord.ReplaceAllString(path, "_") + "_" + method
		id, _ := op["operationId"].(string)
		op["operationId"] = strings.TrimSuffix(id, tail)
	})
}

func dropFailures(doc object) {
	eachOperation(doc, func(_, _ string, op object) {
		responses, _ := op["responses"].(object)
		for code := range responses {
			if !strings.HasPrefix(code, "2") {
				delete(responses, code)
			}
		}
	})
}

func plainEnums(doc object) {
	walk(doc, func(o object) {
		if _, isEnum := o["enum"].([]any); isEnum {
			delete(o, "enum")
		}
	})
}

func printNulls(doc object) {
	for name := range answered(doc) {
		properties, _ := schema(doc, name)["properties"].(object)
		for _, p := range properties {
			if property, ok := p.(object); ok && nullable(property) {
				property["x-omitempty"] = false
			}
		}
	}
}

func nullable(schema object) bool {
	options, _ := schema["anyOf"].([]any)
	for _, option := range options {
		if o, ok := option.(object); ok && o["type"] == "null" {
			return true
		}
	}
	return false
}

// answered names the schemas that some response reaches.
func answered(doc object) map[string]bool {
	found := map[string]bool{}
	eachOperation(doc, func(_, _ string, op object) { reach(doc, op["responses"], found) })
	return found
}

func reach(doc object, from any, found map[string]bool) {
	walk(from, func(o object) {
		ref, _ := o["$ref"].(string)
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		if name == "" || found[name] {
			return
		}
		found[name] = true
		reach(doc, schema(doc, name), found)
	})
}

func schema(doc object, name string) object {
	components, _ := doc["components"].(object)
	schemas, _ := components["schemas"].(object)
	found, _ := schemas[name].(object)
	return found
}

func eachOperation(doc object, visit func(path, method string, op object)) {
	paths, _ := doc["paths"].(object)
	for path, item := range paths {
		methods, _ := item.(object)
		for method, op := range methods {
			if operation, ok := op.(object); ok {
				visit(path, method, operation)
			}
		}
	}
}

func walk(node any, visit func(object)) {
	switch n := node.(type) {
	case object:
		visit(n)
		for _, child := range n {
			walk(child, visit)
		}
	case []any:
		for _, child := range n {
			walk(child, visit)
		}
	}
}
