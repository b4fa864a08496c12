// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package gitops_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// runScript runs a script as Argo CD runs those of its ConfigMap: on the global obj, with what Lua has
// without its libraries but for package and table, and of os the two functions that do no harm.
func runScript(script string, object map[string]any) (any, error) {
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return nil, fmt.Errorf("opening %s: %w", library.name, err)
		}
	}
	l.PreloadModule(lua.OsLibName, openSafeOS)
	value, err := toLua(l, object)
	if err != nil {
		return nil, err
	}
	l.SetGlobal("obj", value)
	if err := l.DoString(script); err != nil {
		return nil, err
	}
	returned, isTable := l.Get(-1).(*lua.LTable)
	if !isTable {
		return nil, errors.New("the script returns no table")
	}
	return tidied(fromLua(returned), object), nil
}

func openSafeOS(l *lua.LState) int {
	l.Push(l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"time": func(l *lua.LState) int { l.Push(lua.LNumber(time.Now().Unix())); return 1 },
		"date": date,
	}))
	return 1
}

// date knows the letters that a time in RFC 3339 takes.
func date(l *lua.LState) int {
	format, utc := strings.CutPrefix(l.CheckString(1), "!")
	now := time.Now()
	if utc {
		now = now.UTC()
	}
	layout := strings.NewReplacer("%Y", "2006", "%m", "01", "%d", "02", "%X", time.TimeOnly).Replace(format)
	l.Push(lua.LString(now.Format(layout)))
	return 1
}

func toLua(l *lua.LState, value any) (lua.LValue, error) {
	switch v := value.(type) {
	case nil:
		return lua.LNil, nil
	case bool:
		return lua.LBool(v), nil
	case string:
		return lua.LString(v), nil
	case int64:
		return lua.LNumber(v), nil
	case float64:
		return lua.LNumber(v), nil
	case []any:
		table := l.NewTable()
		for _, item := range v {
			converted, err := toLua(l, item)
			if err != nil {
				return nil, err
			}
			table.Append(converted)
		}
		return table, nil
	case map[string]any:
		table := l.NewTable()
		for key, item := range v {
			converted, err := toLua(l, item)
			if err != nil {
				return nil, err
			}
			table.RawSetString(key, converted)
		}
		return table, nil
	default:
		return nil, fmt.Errorf("an object in JSON has no %T", value)
	}
}

// fromLua takes an empty table for an empty list, as Argo CD's encoder does.
func fromLua(value lua.LValue) any {
	switch v := value.(type) {
	case lua.LBool:
		return bool(v)
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return json.Number(v.String())
	case *lua.LTable:
		list, object := []any{}, map[string]any{}
		v.ForEach(func(key, item lua.LValue) {
			if key.Type() == lua.LTNumber {
				list = append(list, fromLua(item))
				return
			}
			object[key.String()] = fromLua(item)
		})
		if len(object) > 0 {
			return object
		}
		return list
	default:
		return nil
	}
}

// tidied makes an empty list an empty object again where it was one, as Argo CD does: Lua knows no
// difference.
func tidied(after, before any) any {
	switch a := after.(type) {
	case map[string]any:
		if b, both := before.(map[string]any); both {
			for key := range a {
				a[key] = tidied(a[key], b[key])
			}
		}
	case []any:
		if b, was := before.(map[string]any); was && len(a) == 0 {
			return b
		}
		if b, both := before.([]any); both {
			for i := range min(len(a), len(b)) {
				a[i] = tidied(a[i], b[i])
			}
		}
	}
	return after
}
