//! Whether a text is code an object can have: exactly one function, in module syntax.
//!
//! Two parsers must agree, because a text that one reads as a function and the other as two
//! expressions would break out of the wrapper it is evaluated in. A linear scan bounds nesting
//! before either runs; the engine's parser, which has a stack limit, runs before the other, which
//! has none. What is evaluated is exactly what was checked: the same wrapped text.

use oxc_allocator::Allocator;
use oxc_ast::ast::{Expression, Statement};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::{GetSpan, SourceType};
use qrt_shared::control::CODE_BYTES_MAX;

use super::js::{Ctx, ErrorKind, Kind, Val};
use crate::protocol::{CodeError, CodeNumber};

/// The deepest nesting of brackets a code text may have.
const NESTING_MAX: usize = 256;

/// What stands before the code: the line numbers of the wrapped text are the code's own when its
/// first line is [`WRAPPER_LINE`].
const OPEN: &str = "\nexport default globalThis=>(\n";
const CLOSE: &str = "\n)";
const WRAPPER_LINE: i32 = -1;

/// The file name all code has in a stack's text, before [`file_of`] tells one from another.
const FILE: &str = "object";

/// The file name of the code with that number, as the engine knows it.
fn file_of(code: CodeNumber) -> String {
    format!("{FILE}#{code}")
}

/// The number of the code in that file, if it is one.
pub(super) fn number_of(file: &str) -> Option<CodeNumber> {
    file.strip_prefix(FILE)?.strip_prefix('#')?.parse().ok()
}

/// A stack's text as the code `own` may read it: its own frames, whose file has no number, and the built-ins
/// that it called. What others' functions are called and where they stand is theirs.
pub(super) fn shown_stack(stack: &str, own: CodeNumber) -> String {
    let own = format!("({}:", file_of(own));
    let mut shown = String::new();
    let mut built_ins = String::new();
    for line in stack.lines() {
        if let Some((function, place)) = line.rsplit_once(&own) {
            shown += &[&built_ins, function, "(", FILE, ":", place, "\n"].concat();
            built_ins.clear();
        } else if line.ends_with("(native)") {
            built_ins += &[line, "\n"].concat();
        } else {
            built_ins.clear();
        }
    }
    shown
}

/// Columns and lines count from 1.
type Place = (u32, u32);

/// Checks `code` and compiles it in `ctx` under `number`, without running any of it. `stack_of` reads the
/// engine's text of an error's stack.
pub(super) fn compile(
    ctx: Ctx,
    code: &str,
    number: CodeNumber,
    stack_of: impl Fn(&Val) -> Option<String>,
) -> Result<Compiled<'_>, CodeError> {
    scan(code)?;
    let wrapped = format!("{OPEN}{code}{CLOSE}");
    let file = std::ffi::CString::new(file_of(number)).unwrap_or_default();
    let module = ctx.compile_module(&wrapped, &file, WRAPPER_LINE).map_err(|_| {
        let error = ctx.take_exception();
        let place = stack_of(&error).and_then(|stack| place_in(&stack, number));
        let message = match error.own_data("message") {
            Ok(Some(message)) if message.kind() == Kind::String => message.text().ok().and_then(Result::ok),
            _ => None,
        };
        let message = message.unwrap_or_else(|| "the code cannot be read".to_owned());
        let Some((line, bytes)) = place else { return refusal(code, 0, 0, &message) };
        if line == 0 || line as usize > code.split('\n').count() {
            // The engine stumbled over the wrapper.
            let (line, column) = place_at(code, code.len());
            return refusal(code, line, column, "the code ends where something is still open");
        }
        // The engine counts a syntax error's column in bytes.
        refusal(code, line, column_in_characters(code, line, bytes), &message)
    })?;
    Ok(Compiled { module, function: shape(code)? })
}

/// Code that both parsers accept.
pub(super) struct Compiled<'a> {
    /// The wrapped code.
    pub(super) module: Val,
    /// The text of the function itself, as the second parser delimits it. The engine must delimit
    /// the same, which shows once the function exists.
    pub(super) function: &'a str,
}

/// Refuses a text that is too long or nested too deeply.
fn scan(code: &str) -> Result<(), CodeError> {
    if code.len() > CODE_BYTES_MAX {
        return Err(refusal("", 0, 0, &format!("code of {} bytes; {CODE_BYTES_MAX} is the most", code.len())));
    }
    if code.trim().is_empty() {
        return Err(refusal("", 0, 0, "there is no code"));
    }
    let bytes = code.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            quote @ (b'\'' | b'"') => at = skip_string(bytes, at, quote),
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = find(bytes, at, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = find(bytes, at + 2, b"*/"),
            // An escape in a regular expression, mostly.
            b'\\' => at += 1,
            _ => {}
        }
        if depth > NESTING_MAX {
            let (line, column) = place_at(code, at);
            return Err(refusal(code, line, column, &format!("brackets nested deeper than {NESTING_MAX}")));
        }
        at += 1;
    }
    Ok(())
}

/// The closing quote, or the line's end: a quote in a regular expression must not hide the rest.
fn skip_string(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => break,
            byte if *byte == quote => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The last byte of the next `what`, or the end.
fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(what.len()).position(|window| window == what).map_or(bytes.len(), |at| from + at + what.len() - 1)
}

/// Proves by the second parser that the text is one function and nothing else.
fn shape(code: &str) -> Result<&str, CodeError> {
    // The code stands in parentheses of its own, so that a declaration reads as an expression; the
    // prefix is this module's, so spans map by its length.
    let prefix = OPEN.len();
    let wrapped = format!("{OPEN}{code}{CLOSE}");
    let allocator = Allocator::default();
    let options = ParseOptions { preserve_parens: true, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, &wrapped, SourceType::mjs()).with_options(options).parse();
    let refuse = |offset: usize, message: &str| {
        let (line, column) = place_at(code, offset.saturating_sub(prefix).min(code.len()));
        refusal(code, line, column, message)
    };
    if let Some(diagnostic) = parsed.diagnostics.iter().next() {
        let offset = diagnostic.labels.first().map_or(0, |label| label.offset() as usize);
        return Err(refuse(offset, &diagnostic.message));
    }
    if parsed.panicked {
        return Err(refuse(0, "the code cannot be read"));
    }
    if let Some(import) = parsed.module_record.dynamic_imports.first() {
        return Err(refuse(import.span.start as usize, "code cannot import anything"));
    }
    if let Some(meta) = parsed.module_record.import_metas.first() {
        return Err(refuse(meta.start as usize, "there is no import.meta"));
    }
    if let Some(comment) =
        parsed.program.comments.iter().find(|comment| comment.span.end as usize > prefix + code.len())
    {
        return Err(refuse(comment.span.start as usize, "a comment that does not end"));
    }
    let function = match parsed.program.body.as_slice() {
        [Statement::ExportDefaultDeclaration(export)] if parsed.program.directives.is_empty() => {
            match export.declaration.as_expression() {
                Some(Expression::ArrowFunctionExpression(outer)) => {
                    outer.get_expression().and_then(|body| match body {
                        Expression::ParenthesizedExpression(inner) => Some(&inner.expression),
                        _ => None,
                    })
                }
                _ => None,
            }
        }
        _ => None,
    };
    let not_one = "code is exactly one function: `function (args, power) { ... }` or `(args, power) => ...`";
    let Some(function) = function else {
        return Err(refuse(prefix, not_one));
    };
    match function {
        Expression::FunctionExpression(function) if function.r#async => {
            Err(refuse(function.span.start as usize, "the function must not be async"))
        }
        Expression::FunctionExpression(function) if function.generator => {
            Err(refuse(function.span.start as usize, "the function must not be a generator"))
        }
        Expression::ArrowFunctionExpression(arrow) if arrow.r#async => {
            Err(refuse(arrow.span.start as usize, "the function must not be async"))
        }
        Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_) => {
            let span = function.span();
            let text = wrapped_part(code, span.start as usize, span.end as usize);
            text.ok_or_else(|| refuse(prefix, not_one))
        }
        Expression::ParenthesizedExpression(inner) => {
            Err(refuse(inner.span.start as usize, "no parentheses around the function"))
        }
        _ => Err(refuse(prefix, not_one)),
    }
}

/// The part of `code` that stands at these offsets of the wrapped text.
fn wrapped_part(code: &str, start: usize, end: usize) -> Option<&str> {
    code.get(start.checked_sub(OPEN.len())?..end.checked_sub(OPEN.len())?)
}

/// The topmost place in object code that a stack's text names, if that is in the code `number`: a
/// function that was passed by `call` may have thrown, and then no line of this code did.
pub(super) fn place_in(stack: &str, number: CodeNumber) -> Option<Place> {
    let (file, place) = stack.lines().find_map(|line| {
        let (before, rest) = line.rsplit_once(&format!("{FILE}#"))?;
        let (file, place) = rest.split_once(':')?;
        (before.ends_with('(') || before.ends_with("at ")).then_some((file, place))
    })?;
    let (line, column) = place.trim_end_matches(')').split_once(':')?;
    (file == number.to_string()).then_some((line.parse().ok()?, column.parse().ok()?))
}

/// An error at that place of `code`, with the source line and a caret.
pub(super) fn refusal(code: &str, line: u32, column: u32, message: &str) -> CodeError {
    CodeError {
        message: format!("SyntaxError: {message}"),
        object: None,
        line,
        column,
        excerpt: excerpt(code, line, column),
    }
}

/// The most characters of a source line that a terminal shows in one row.
const EXCERPT_CHARS: usize = 78;

/// The source line, cut to [`EXCERPT_CHARS`] around the place, then a newline and a caret under it.
pub(super) fn excerpt(code: &str, line: u32, column: u32) -> String {
    let Some(text) = (line as usize).checked_sub(1).and_then(|index| code.split('\n').nth(index)) else {
        return String::new();
    };
    let text = text.trim_end_matches('\r');
    let at = (column as usize).saturating_sub(1);
    let from = (at + 10).saturating_sub(EXCERPT_CHARS);
    // What moves the cursor on a terminal would misplace the caret, or worse.
    let shown: String =
        text.chars().skip(from).take(EXCERPT_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{}\n{}^", shown.trim_end(), " ".repeat((at - from).min(shown.chars().count())))
}

fn place_at(code: &str, offset: usize) -> Place {
    let before = &code[..code.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[start..].chars().count() + 1;
    (u32::try_from(line).unwrap_or(0), u32::try_from(column).unwrap_or(0))
}

/// A column that counts bytes, in characters.
fn column_in_characters(code: &str, line: u32, bytes: u32) -> u32 {
    let text = (line as usize).checked_sub(1).and_then(|index| code.split('\n').nth(index)).unwrap_or_default();
    let before = &text[..text.floor_char_boundary((bytes as usize).saturating_sub(1))];
    u32::try_from(before.chars().count()).unwrap_or(0) + 1
}

/// Throws the refusal as the `SyntaxError` that code can catch.
pub(super) fn throw(ctx: Ctx, error: &CodeError) -> super::js::Thrown {
    let message = error.message.strip_prefix("SyntaxError: ").unwrap_or(&error.message);
    let place =
        if error.line == 0 { String::new() } else { format!(" (line {}, column {})", error.line, error.column) };
    ctx.throw(ErrorKind::Syntax, &format!("{message}{place}"))
}
