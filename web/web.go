// Package web holds the demo page that parley serve shows at its root: a
// conversation with everyone on /ws/ and with one person on /ws/{username}/.
package web

import "embed"

// Files holds the page as it is served: index.html and what it loads, by
// paths relative to the page, with no build step and nothing from elsewhere.
// It is read-only and safe for concurrent use.
//
// The page runs under the Content-Security-Policy that its own meta element
// states; a server that sends the same policy as a header changes nothing.
//
//go:embed index.html style.css icon.svg *.js
var Files embed.FS
