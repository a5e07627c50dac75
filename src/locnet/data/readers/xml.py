"""XML of annotation tools, read without expanding anything: entities can be bombs or read other files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from locnet.errors import DataError

_DEEPEST = 64


@dataclass
class Element:
    """An XML element with the line that it begins in."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, *path: str) -> Element | None:
        """The first element at a path of tags below this one."""
        here: Element | None = self
        for tag in path:
            here = next((child for child in here.children if child.tag == tag), None) if here else None
        return here

    def all(self, tag: str) -> Iterator[Element]:
        """The children of that tag."""
        return (child for child in self.children if child.tag == tag)

    def value(self, *path: str) -> str:
        """Text of the element at a path; empty where there is none."""
        found = self.find(*path)
        return found.text.strip() if found else ""


def parse_xml(content: bytes, tag: str) -> Element:
    """Parse a document whose outermost element is `tag`.

    Raises:
        DataError: it is not well-formed, starts with another tag, declares entities, or is absurdly deep; the file's
            name is not in the message.
    """
    top = Element("", 0)
    stack = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, _: dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise DataError(f"more than {_DEEPEST} elements inside each other")
        element = Element(tag, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        stack[-1].text += text

    def refuse(*_: Any) -> None:
        raise DataError("declares XML entities, which are not expanded (they can be bombs, or read other files)")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = characters, refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DataError(f"not well-formed XML (line {error.lineno}: {expat.ErrorString(error.code)})") from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise DataError(f"not readable as XML ({error})") from error
    document = top.children[0]
    if document.tag != tag:
        raise DataError(f"<{document.tag}> where <{tag}> should be")
    return document
