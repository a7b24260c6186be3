// Package check holds requests to the API document, exactly as the contract's own server does.
//
// That server is written in Python, and its clients have come to rely on what it lets through and on how it refuses:
// "yes" is a boolean, "3" and 3.0 are integers, unknown keys are ignored, and each fault is answered with its type,
// place, text and input. So this package promises, for every operation whose document it compiled:
//
//   - a body is read by the rules of CPython's json module, with its error texts and its positions in code points;
//   - it is walked by pydantic 2.13's lax rules, and the faults come in pydantic's order and words;
//   - a body that passes is handed on in canonical form, which encoding/json reads into the generated types without
//     an error: true for "yes", 3 for "3" and 3.0, a UUID in lower case with hyphens, unknown keys dropped;
//   - no input makes it panic, and none takes more than time and memory in proportion to its length.
//
// It differs from the Python server where that one answers 400 or 500, cannot print, or takes what no client sends:
//
//   - nesting deeper than maxDepth, bytes that are not UTF-8, and integers beyond 4300 digits are json_invalid,
//     and so are more than maxValues values;
//   - NaN and infinities are echoed as null, and lone surrogates as escapes;
//   - in the canonical form integers are held to 64 bits and infinities to the largest float; NaN becomes null;
//   - UTF-16 and UTF-32 bodies are not recognised;
//   - a time that is in the year 0 or 10000 in UTC is refused.
//
// An enum's "x-slipway-accept" lists values that pass although error texts do not name them.
//
// Compile refuses a document that uses a keyword which this package does not enforce in a request, so that no rule is
// written down and ignored. A Set is immutable and safe for concurrent use.
package check
