// everyoneURL and personURL are the two sockets that a page holds, on the
// server that the page came from, secure when the page is.
export function everyoneURL(page = location) {
  return `${origin(page)}/ws/`;
}

export function personURL(name, page = location) {
  return `${origin(page)}/ws/${encodeURIComponent(name)}/`;
}

function origin(page) {
  return `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}`;
}
