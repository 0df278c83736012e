//! Random sequences of what templates are made of: nothing may panic.

use super::run;

proptest::proptest! {
    #[test]
    fn never_panics(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..24),
        cut in 0_usize..400,
    ) {
        let mut source = pieces.concat();
        if source.is_char_boundary(cut.min(source.len())) {
            source.truncate(cut);
        }
        run(&source);
    }
}

const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "(",
    ")",
    "|",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "1",
    "-1",
    "0x",
    "1e9",
    "'a'",
    "\"",
    "\"s\"",
    "`",
    "/*",
    "*/",
    "é",
    "\u{0}",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "block",
    "template",
    "break",
    "continue",
    "nil",
    "true",
    ".s",
    ".m.a",
    ".l",
    ".missing",
    "{{ end }}",
    "{{ range .l }}",
    "{{ if .t }}",
    "{{ with .m }}",
    "{{ $x := .l }}",
    "{{ define \"q\" }}",
    "{{ include \"h\" . }}",
    "{{ tpl \"{{ . }}\" .l }}",
    " printf \"%*.[2]d\" ",
    " index ",
    " slice ",
    " len ",
    " eq ",
    " html ",
    " list ",
    " and ",
    " print ",
];
