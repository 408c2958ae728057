package repo

import (
	"go/ast"
	"strings"
	"testing"
)

// TestPackageDocs wants one package comment per package, in the usual form.
func TestPackageDocs(t *testing.T) {
	docs := map[string]string{}
	for _, f := range source(t) {
		if f.test {
			continue
		}
		dir := f.dir()
		if _, seen := docs[dir]; !seen {
			docs[dir] = ""
		}
		if f.ast.Doc == nil {
			continue
		}
		if docs[dir] != "" {
			t.Errorf("%s: a second package comment", f.path)
		}
		docs[dir] = f.ast.Doc.Text()
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(docs[dir], want) {
			t.Errorf("%s: the package comment begins with %.30q, not with %q", f.path, docs[dir], want)
		}
	}
	for dir, text := range docs {
		if text == "" {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

// TestExportedDocs wants a comment on every exported function, method, type, constant and variable.
// In a group of constants or variables a comment on the group, or on an earlier line of the same
// run, is enough.
func TestExportedDocs(t *testing.T) {
	for _, f := range source(t) {
		if f.test || f.room() == "test" || f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, n := range undocumented(decl) {
				t.Errorf("%s: %s has no doc comment", f.at(n), n.Name)
			}
		}
	}
}

// wellKnown methods are documented by the interface they implement.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "As": true, "String": true, "GoString": true,
	"MarshalText": true, "UnmarshalText": true, "AppendText": true, "MarshalJSON": true, "UnmarshalJSON": true,
	"MarshalYAML": true, "UnmarshalYAML": true, "Len": true, "Less": true, "Swap": true, "Push": true, "Pop": true,
}

func undocumented(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Doc != nil {
			return nil
		}
		if d.Recv != nil && (wellKnown[d.Name.Name] || !receiver(d).IsExported()) {
			return nil
		}
		return []*ast.Ident{d.Name}
	case *ast.GenDecl:
		covered := d.Doc != nil
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && (!covered || len(d.Specs) > 1) {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc != nil {
					covered = true
				}
				for _, n := range s.Names {
					if n.IsExported() && !covered && s.Comment == nil {
						names = append(names, n)
					}
				}
			}
		}
	}
	return names
}

// receiver is the name of the type a method belongs to.
func receiver(d *ast.FuncDecl) *ast.Ident {
	expr := d.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.Ident:
			return e
		default:
			return ast.NewIdent("_")
		}
	}
}
