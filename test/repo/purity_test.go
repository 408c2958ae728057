package repo

import (
	"fmt"
	"go/ast"
	"slices"
)

// clock are the functions of package time that read or wait for a clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

// impureUses finds goroutines, channels and clock readings in a file.
func impureUses(f *file) (found []string) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		what := ""
		switch n := n.(type) {
		case *ast.GoStmt:
			what = "starts a goroutine"
		case *ast.SelectStmt:
			what = "selects on channels"
		case *ast.ChanType:
			what = "has a channel"
		case *ast.SelectorExpr:
			if isSelector(n, "time", clock...) {
				what = "uses time." + n.Sel.Name
			}
		}
		if what != "" {
			found = append(found, fmt.Sprintf("%s: %s", f.at(n), what))
		}
		return true
	})
	return found
}

// isSelector reports whether n is pkg.name for one of the names.
func isSelector(n *ast.SelectorExpr, pkg string, names ...string) bool {
	x, ok := n.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains(names, n.Sel.Name)
}
