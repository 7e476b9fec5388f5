const FIRST_MS = 500;
const CAP_MS = 15_000;

// backoff returns how long to wait before the next attempt after `failures`
// in a row (0 for none): doubling up to a cap, and the upper half of it drawn
// by chance, so that the clients of a restarted server don't return at once.
export function backoff(failures, random = Math.random) {
  const ceiling = Math.min(CAP_MS, FIRST_MS * 2 ** failures);
  return ceiling / 2 + (random() * ceiling) / 2;
}
