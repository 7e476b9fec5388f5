package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// configFile is a flag that names a file with more flags: a JSON object whose
// keys are their names without the dashes in front.
type configFile string

// BeforeResolve has kong look flags up in the file. kong calls it for a name
// from the environment too, whichever subcommand was chosen.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	flags := ctx.Selected().Flags
	name := string(ctx.FlagValue(trace.Flag).(configFile))
	if name == "" || !slices.Contains(flags, trace.Flag) {
		return nil
	}
	values, err := readConfig(kong.ExpandPath(name))
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	for key := range values {
		if !slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Name == key }) || key == trace.Flag.Name {
			return fmt.Errorf("--config: %s: there is no flag --%s", name, key)
		}
	}
	ctx.AddResolver(values)
	return nil
}

// fileValues resolves the flags that neither the command line nor the
// environment set. kong's own resolver would go before the environment, and
// keep quiet about keys that are no flags.
type fileValues map[string]any

func readConfig(name string) (fileValues, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var values fileValues
	if err := decoder.Decode(&values); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: more than one JSON value", name)
	}
	return values, nil
}

// Validate has nothing left to check.
func (fileValues) Validate(*kong.Application) error { return nil }

// Resolve returns nil for a flag that the file has no say in.
func (v fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	if n, ok := v[flag.Name].(json.Number); ok {
		return n.String(), nil // read as on the command line: durations need a unit
	}
	return v[flag.Name], nil
}
