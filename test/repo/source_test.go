package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "bprelay"

// root is the repository's top directory, seen from this package.
const root = "../.."

// file is one parsed Go file of the repository.
type file struct {
	path string // slash-separated, relative to the top
	test bool   // a _test.go file
	ast  *ast.File
	fset *token.FileSet
}

// dir is the file's directory, which is its package's import path within the module.
func (f *file) dir() string { return filepath.ToSlash(filepath.Dir(f.path)) }

// room is the top-level directory the file belongs to.
func (f *file) room() string { first, _, _ := strings.Cut(f.path, "/"); return first }

func (f *file) at(n ast.Node) token.Position {
	p := f.fset.Position(n.Pos())
	p.Filename = f.path
	return p
}

// source parses every Go file of the module. Dot directories and testdata belong to no package.
func source(t *testing.T) []*file {
	t.Helper()
	var files []*file
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files = append(files, &file{
			path: filepath.ToSlash(rel), test: strings.HasSuffix(name, "_test.go"), ast: parsed, fset: fset,
		})
		return nil
	})
	if err != nil {
		t.Fatalf("read the source: %v", err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d Go files found: this test looks at the wrong place", len(files))
	}
	return files
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
