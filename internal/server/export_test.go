package server

// SendAround is exported for tests.
const SendAround = sendAround
