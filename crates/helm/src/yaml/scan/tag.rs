//! Directives, anchors, aliases and tags.

use super::{Fault, Position, Scanner, Token, TokenKind};

impl Scanner<'_> {
    /// `%YAML 1.1` or `%TAG ! prefix`, with the line break after it.
    pub(super) fn scan_directive(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        self.skip();
        let name = self.scan_directive_name(start)?;
        let kind = match name.as_slice() {
            b"YAML" => self.scan_version(start)?,
            b"TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.error(start, "found unknown directive name")),
        };
        let end = self.at;
        self.finish_line(start)?;
        Ok(Token { kind, start, end })
    }

    /// The word after `%`.
    fn scan_directive_name(&mut self, start: Position) -> Result<Vec<u8>, Fault> {
        let name = self.scan_word()?;
        if name.is_empty() {
            return Err(self.error(start, "could not find expected directive name"));
        }
        if !self.is_blank_or_end(0) {
            return Err(self.error(start, "found unexpected non-alphabetical character"));
        }
        Ok(name)
    }

    fn scan_word(&mut self) -> Result<Vec<u8>, Fault> {
        let mut word = Vec::new();
        self.ensure(1)?;
        while self.is_word(0) {
            self.read(&mut word);
            self.ensure(1)?;
        }
        Ok(word)
    }

    /// `major.minor`.
    fn scan_version(&mut self, start: Position) -> Result<TokenKind, Fault> {
        self.skip_blanks()?;
        let major = self.scan_version_number(start)?;
        if self.byte(0) != b'.' {
            return Err(self.error(start, "did not find expected digit or '.' character"));
        }
        self.skip();
        let minor = self.scan_version_number(start)?;
        Ok(TokenKind::Version { major, minor })
    }

    /// A number of at most two digits, as go-yaml has it.
    fn scan_version_number(&mut self, start: Position) -> Result<u8, Fault> {
        self.ensure(1)?;
        let (mut value, mut length) = (0u8, 0);
        while self.byte(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return Err(self.error(start, "found extremely long version number"));
            }
            value = value * 10 + (self.byte(0) - b'0');
            self.skip();
            self.ensure(1)?;
        }
        if length == 0 {
            return Err(self.error(start, "did not find expected version number"));
        }
        Ok(value)
    }

    /// The handle and the prefix of `%TAG`.
    fn scan_tag_directive(&mut self, start: Position) -> Result<TokenKind, Fault> {
        self.skip_blanks()?;
        let handle = self.scan_tag_handle(true, start)?;
        self.ensure(1)?;
        if !self.is_blank(0) {
            return Err(self.error(start, "did not find expected whitespace"));
        }
        self.skip_blanks()?;
        let prefix = self.scan_tag_uri(b"", start)?;
        self.ensure(1)?;
        if !self.is_blank_or_end(0) {
            return Err(self.error(start, "did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective {
            handle: to_string(handle),
            prefix: to_string(prefix),
        })
    }

    /// The name after `&` or `*`: letters, digits, `_` and `-`.
    pub(super) fn scan_anchor(&mut self, alias: bool) -> Result<Token, Fault> {
        let start = self.at;
        self.skip();
        let name = self.scan_word()?;
        let ends = self.is_blank_or_end(0)
            || matches!(
                self.byte(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends {
            let problem = "did not find expected alphabetic or numeric character";
            return Err(self.error(start, problem));
        }
        let name = to_string(name);
        let kind = if alias {
            TokenKind::Alias(name)
        } else {
            TokenKind::Anchor(name)
        };
        Ok(Token {
            kind,
            start,
            end: self.at,
        })
    }

    /// `!<uri>`, `!suffix`, `!!suffix` or `!handle!suffix`.
    pub(super) fn scan_tag(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        self.ensure(2)?;
        let (handle, suffix) = if self.byte(1) == b'<' {
            self.skip();
            self.skip();
            let suffix = self.scan_tag_uri(b"", start)?;
            if self.byte(0) != b'>' {
                return Err(self.error(start, "did not find the expected '>'"));
            }
            self.skip();
            (Vec::new(), suffix)
        } else {
            self.scan_short_tag(start)?
        };
        self.ensure(1)?;
        if !self.is_blank_or_end(0) {
            return Err(self.error(start, "did not find expected whitespace or line break"));
        }
        let kind = TokenKind::Tag {
            handle: to_string(handle),
            suffix: to_string(suffix),
        };
        Ok(Token {
            kind,
            start,
            end: self.at,
        })
    }

    /// `!suffix`, `!handle!suffix` or `!` alone.
    fn scan_short_tag(&mut self, start: Position) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let handle = self.scan_tag_handle(false, start)?;
        if handle.len() > 1 && handle.last() == Some(&b'!') {
            let suffix = self.scan_tag_uri(b"", start)?;
            return Ok((handle, suffix));
        }
        let suffix = self.scan_tag_uri(&handle, start)?;
        if suffix.is_empty() {
            return Ok((Vec::new(), b"!".to_vec()));
        }
        Ok((b"!".to_vec(), suffix))
    }

    /// `!`, `!!` or `!name!`; a directive's has to end in `!`.
    fn scan_tag_handle(&mut self, directive: bool, start: Position) -> Result<Vec<u8>, Fault> {
        self.ensure(1)?;
        if self.byte(0) != b'!' {
            return Err(self.error(start, "did not find expected '!'"));
        }
        let mut handle = Vec::new();
        self.read(&mut handle);
        handle.extend(self.scan_word()?);
        if self.byte(0) == b'!' {
            self.read(&mut handle);
        } else if directive && handle != b"!" {
            return Err(self.error(start, "did not find expected '!'"));
        }
        Ok(handle)
    }

    /// Reads a URI; `head` is what was taken for a handle, with its `!`.
    fn scan_tag_uri(&mut self, head: &[u8], start: Position) -> Result<Vec<u8>, Fault> {
        let mut uri = head.get(1..).unwrap_or(&[]).to_vec();
        let mut found = !head.is_empty();
        self.ensure(1)?;
        while self.is_word(0) || b";/?:@&=+$,.!~*'()[]%".contains(&self.byte(0)) {
            if self.byte(0) == b'%' {
                self.scan_uri_escapes(start, &mut uri)?;
            } else {
                self.read(&mut uri);
            }
            self.ensure(1)?;
            found = true;
        }
        if !found {
            return Err(self.error(start, "did not find expected tag URI"));
        }
        Ok(uri)
    }

    /// Reads the `%XX` octets of one character.
    fn scan_uri_escapes(&mut self, start: Position, uri: &mut Vec<u8>) -> Result<(), Fault> {
        let mut missing = None;
        while missing != Some(0) {
            self.ensure(3)?;
            let digit = |ahead| char::from(self.byte(ahead)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.byte(0), digit(1), digit(2)) else {
                return Err(self.error(start, "did not find URI escaped octet"));
            };
            let octet = u8::try_from(high << 4 | low).unwrap_or_default();
            missing = Some(match missing {
                None => match octet {
                    0..=0x7f => 0,
                    0xc0..=0xdf => 1,
                    0xe0..=0xef => 2,
                    0xf0..=0xf7 => 3,
                    _ => return Err(self.error(start, "found an incorrect leading UTF-8 octet")),
                },
                Some(_) if octet & 0xc0 != 0x80 => {
                    return Err(self.error(start, "found an incorrect trailing UTF-8 octet"));
                }
                Some(count) => count - 1,
            });
            uri.push(octet);
            for _ in 0..3 {
                self.skip();
            }
        }
        Ok(())
    }
}

fn to_string(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
