# Two commands matter: make run, and make test. The rest are their parts.

GO_TOOL = go tool -modfile=tools/go.mod
FUZZTIME ?= 5m

.PHONY: run build test deps lint cross unit bench-test e2e crash soak powercut model expiry fuzz bench screenshot

run: ## serve on http://127.0.0.1:8000/, needs Go alone
	go run ./cmd/parley serve

build:
	go build -o bin/parley ./cmd/parley

test: deps lint cross unit bench-test e2e ## everything; needs Go and Node, installs the rest

deps: ## what a fresh Debian machine lacks: Chromium and two clients
	tools/deps

lint:
	go vet ./...
	$(GO_TOOL) staticcheck ./...
	diff=$$($(GO_TOOL) gofumpt -d $$(git ls-files '*.go')) && test -z "$$diff" || { echo "$$diff"; exit 1; }
	diff=$$(go fix -diff ./...) && test -z "$$diff" || { echo "$$diff"; exit 1; }
	cd bench && go vet ./...

cross: ## other systems compile, tests too
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...

unit: ## tests, examples and fuzz seeds under the race detector
	go test -race -shuffle=on -timeout 15m ./...
	go test -run '^Test(Stress(Blocked|Churn|Million)|IdleConnections|ManyConnections|Followers|SlowClients|Announced|BatchLeaves|SendAllocates)' .

bench-test:
	cd bench && go test ./...

e2e: build ## the page and the examples in a real browser, and foreign clients
	cd e2e && npm ci --no-audit --no-fund && PARLEY_BIN=$(CURDIR)/bin/parley npm test

crash: ## kill -9, 100 times, and what was accepted is there and what was not is not; takes minutes
	go test -count=1 -run '^TestKill$$' -timeout 30m -v ./internal/crash -kills 100 -restores 5
	go test -count=1 -run '^TestKill$$' -timeout 30m -v ./internal/crash -kills 20 -restores 1 -process
	go test -count=1 -run '^TestStorm$$' -timeout 30m -v ./internal/crash -kills 100

soak: ## 500 random configurations of the library with tiny limits, under the race detector; takes minutes
	PARLEY_SOAK=500 PARLEY_SOAK_SEED=$$(date +%s) go test -race -count=1 -parallel 8 -run '^TestSoak$$' -timeout 30m .

powercut: ## the power is cut 1,000 times, and what was accepted is there; and a large store opens soon
	PARLEY_CUTS=1000 go test -count=1 -run '^Test(PowerCut|BrokenBuilds)$$' -timeout 30m -v ./disklayer
	PARLEY_MESSAGES=5000000 PARLEY_LOGS=500000 go test -count=1 -run '^TestReopenLarge$$' -timeout 30m -v ./disklayer

model: ## random operations on 10,000 stores, with power cuts, held to a reference; takes minutes
	PARLEY_MODEL=10000 go test -count=1 -run '^TestModel$$' -timeout 60m -v ./disklayer

expiry: ## a million logs become too old at once; takes minutes
	PARLEY_EXPIRED=1000000 go test -count=1 -run '^TestMassExpiry$$' -timeout 30m -v ./disklayer

fuzz: ## each fuzz target for FUZZTIME
	tools/fuzz $(FUZZTIME)

bench: ## measures this server and its peers, and writes docs/performance.md; takes hours
	cd bench && go run .

screenshot: build ## takes docs/screenshot.png anew
	cd e2e && npm ci --no-audit --no-fund && PARLEY_BIN=$(CURDIR)/bin/parley npm run screenshot
