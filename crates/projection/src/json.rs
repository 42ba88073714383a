//! Scalars as JSON text that comes back exactly: integers in full, floats in their shortest form with a point or an
//! exponent, non-finite ones as the strings "NaN", "Infinity" and "-Infinity". A text of such content has its first
//! character escaped (`"\u004eaN"`): any reader of JSON finds the text, and who looks at the spelling knows them apart.

use std::fmt::Write;

use corral_domain::scalar::Scalar;

pub(crate) fn text(value: &Scalar) -> String {
    let mut out = String::new();
    put(value, &mut out);
    out
}

fn put(value: &Scalar, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match value {
        Scalar::Null => write!(out, "null"),
        Scalar::Bool(v) => write!(out, "{v}"),
        Scalar::I64(v) => write!(out, "{v}"),
        Scalar::U64(v) => write!(out, "{v}"),
        Scalar::F64(v) if v.is_nan() => write!(out, "\"NaN\""),
        Scalar::F64(v) if v.is_infinite() => write!(out, "\"{}Infinity\"", if *v < 0.0 { "-" } else { "" }),
        // `{:?}` keeps a point or an exponent, so that 1.0 is not 1.
        Scalar::F64(v) => write!(out, "{v:?}"),
        Scalar::Text(v) => {
            put_text(v, out);
            Ok(())
        }
        Scalar::List(values) => {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                put(value, out);
            }
            out.push(']');
            Ok(())
        }
    };
}

fn put_text(text: &str, out: &mut String) {
    out.push('"');
    let number = matches!(text, "NaN" | "Infinity" | "-Infinity");
    for (i, c) in text.chars().enumerate() {
        match c {
            c if number && i == 0 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
