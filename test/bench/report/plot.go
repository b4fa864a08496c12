// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// The size of a plot, and what its edges leave to the curves, in pixels.
const (
	width, height            = 760, 360
	left, right, top, bottom = 60, 20, 40, 40
)

// colours are told apart by people who don't see all of them (Okabe and Ito), and on white and black.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

// plot draws the curves as SVG.
func (s *Scenario) plot() string {
	var seconds, count float64
	for _, series := range s.Series {
		count = max(count, float64(len(series.At)))
		if n := len(series.At); n > 0 {
			seconds = max(seconds, series.At[n-1].Seconds())
		}
	}
	x := func(at float64) float64 { return left + at/cmp.Or(seconds, 1)*(width-left-right) }
	y := func(n float64) float64 { return height - bottom - n/cmp.Or(count, 1)*(height-top-bottom) }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">%s</text>`+"\n", left, html.EscapeString(s.Name+": "+s.About))
	for _, at := range ticks(seconds) {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s s</text>`+"\n", x(at), top, height-bottom, x(at), height-bottom+18, number(at))
	}
	for _, n := range ticks(count) {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y(n), width-right, left-6, y(n)+4, number(n))
	}
	for i, series := range s.Series {
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", curve(series.At, x, y), colour)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+12, top+16+16*i, colour, html.EscapeString(series.Name))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// curve is the path of a series, of 400 points at most.
func curve(at []time.Duration, x, y func(float64) float64) string {
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", x(0), y(0))
	step := max(1, len(at)/400)
	for i := step - 1; i < len(at); i += step {
		fmt.Fprintf(&path, "L%.1f %.1f", x(at[i].Seconds()), y(float64(i+1)))
	}
	return path.String()
}

// ticks are some round numbers from 0 to the most.
func ticks(most float64) []float64 {
	if most <= 0 {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for most/step < 4 {
		step /= 2
	}
	var list []float64
	for at := 0.0; at <= most; at += step {
		list = append(list, at)
	}
	return list
}
