//go:build !unix

package socket

func endAtOnce(int) {}

func neverBlock(int) {}
