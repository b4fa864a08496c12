// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// width is that of the text, in columns; labels have the first of them.
const (
	width       = 100
	labelWidth  = 19
	longestLine = 3 * width
)

// The escape sequences that a terminal is sent, and a file isn't.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
	erase = "\r\x1b[2K"
)

// screen writes for people: to a terminal with some colour and a line that changes, elsewhere in
// plain lines.
type screen struct {
	to        io.Writer
	terminal  bool
	transient bool // the line at the cursor is a status
}

func newScreen(to *os.File) *screen {
	info, err := to.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &screen{to: to, terminal: terminal && os.Getenv("NO_COLOR") == ""}
}

// status shows what is being waited for, until the next line takes its place. Only a terminal can.
func (s *screen) status(text string) {
	if !s.terminal {
		return
	}
	s.clear()
	if text != "" {
		fmt.Fprint(s.to, "  ", dim, text, plain)
		s.transient = true
	}
}

func (s *screen) clear() {
	if s.transient {
		fmt.Fprint(s.to, erase)
		s.transient = false
	}
}

func (s *screen) line(text string) {
	s.clear()
	fmt.Fprintln(s.to, text)
}

func (s *screen) styled(style, text string) string {
	if !s.terminal || text == "" {
		return text
	}
	return style + text + plain
}

// title begins the show.
func (s *screen) title(text string) { s.line(s.styled(bold, text)) }

// section begins a part.
func (s *screen) section(text string) {
	s.line("")
	s.line(s.styled(bold, text))
	s.line("")
}

// text writes a paragraph.
func (s *screen) text(format string, args ...any) {
	for _, line := range wrap(fmt.Sprintf(format, args...), width) {
		s.line(line)
	}
}

// labelled writes a label and, beside it, a paragraph.
func (s *screen) labelled(label, format string, args ...any) {
	for i, line := range wrap(fmt.Sprintf(format, args...), width-labelWidth) {
		if i > 0 {
			label = ""
		}
		s.line(fmt.Sprintf("  %-*s%s", labelWidth-2, label, line))
	}
}

// rowWidths are those of a row's columns but the last.
var rowWidths = []int{9, 14, 7, 15}

// row writes a row of the table of changes.
func (s *screen) row(columns ...string) {
	indent := 0
	var first strings.Builder
	for i, columnWidth := range rowWidths {
		style := ""
		switch columns[i] {
		case "True":
			style = green
		case "False":
			style = red
		}
		cell := fmt.Sprintf("%-*s ", columnWidth-1, columns[i])
		if i == 0 {
			cell = fmt.Sprintf("%*s  ", columnWidth-2, columns[i])
		}
		if style != "" {
			cell = s.styled(style, cell)
		}
		first.WriteString(cell)
		indent += columnWidth
	}
	for i, line := range wrap(columns[len(rowWidths)], width-indent) {
		if i == 0 {
			s.line(first.String() + line)
			continue
		}
		s.line(strings.Repeat(" ", indent) + line)
	}
}

// command shows a kubectl command and what it printed.
func (s *screen) command(output string, args ...string) {
	s.line("  " + s.styled(dim, "$ kubectl "+strings.Join(args, " ")))
	for line := range strings.Lines(output) {
		s.line(strings.TrimRight("  "+line, " \n"))
	}
}

// good and bad say how the demo ended.
func (s *screen) good(format string, args ...any) { s.verdict(green, format, args...) }

func (s *screen) bad(format string, args ...any) { s.verdict(red, format, args...) }

func (s *screen) verdict(style, format string, args ...any) {
	s.line("")
	for _, line := range wrap(fmt.Sprintf(format, args...), width) {
		s.line(s.styled(style, line))
	}
}

// log shows lines of a log, cut where they get unreadable.
func (s *screen) log(path string, lines []string) {
	if len(lines) == 0 {
		return
	}
	s.section("The last lines of " + path)
	for _, line := range lines {
		if len(line) > longestLine {
			line = line[:longestLine] + " ..."
		}
		s.line("  " + line)
	}
	s.line("")
}

// wrap breaks a text into lines of at most so many columns, where no word is longer.
func wrap(text string, columns int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case len(line)+1+len(word) <= columns:
				line += " " + word
			default:
				lines = append(lines, line)
				line = word
			}
		}
		lines = append(lines, line)
	}
	return lines
}
