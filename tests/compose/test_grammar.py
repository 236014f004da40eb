"""What a template may say, and that nothing else gets through."""

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dispatcher.compose import grammar
from dispatcher.errors import TemplateError

KNOWN = {"problem", "items", "words"}


def read(source):
    return grammar.read(ImmutableSandboxedEnvironment(), source, "sms.txt", KNOWN)


@pytest.mark.parametrize(
    "source",
    [
        "{{ problem }} {% if items %}{% for item in items %}{{ loop.index }} {{ item|upper }}{% endfor %}{% endif %}",
        "{{ recipient.first_name }} {{ recipient.first_name or 'you' }}",
        "{% set a = problem ~ '!' %}{{ a }}",
        "{% macro m(x, y=1) %}{{ x }}{{ y }}{{ caller() }}{% endmacro %}{% call m(problem) %}z{% endcall %}",
        "{% extends 'a.txt' %}{% block b %}{{ super() }}{% endblock %}",
        "{% from 'a.txt' import one, two as three with context %}{{ one() }}{{ three() }}",
        "{% import 'a.txt' as a %}{{ 'x' if problem is defined and not items == [] else words['k'] }}",
    ],
)
def test_what_templates_need(source):
    assert read(source)


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("{{ 2 ** 9 }}", 1, "may not calculate"),
        ("{{ 'x' * 9 }}", 1, "may not calculate"),
        ("\n{{ -problem }}", 2, "may not calculate"),
        ("{{ problem.upper() }}", 1, "call macros only"),
        ("{{ problem._x }}", 1, "is private"),
        ("{{ _slot('a', 'b') }}", 1, "is private"),
        ("{% autoescape false %}{% endautoescape %}", 1, "switch escaping"),
        ("{% include problem %}", 1, "must stand in quotes"),
        ("{% include ['a', 'b'] %}", 1, "must stand in quotes"),
        ("{% for x in items recursive %}{% endfor %}", 1, "may not be recursive"),
        ("{{ {'a': 1} }}", 1, "may not use dict"),
        ("{{ problem[1:2] }}", 1, "may not use slice"),
        ("{% filter upper %}{% endfilter %}", 1, "may not use filterblock"),
        ("a\nb\n{{ problm }}", 3, "nothing is called problm"),
        ("{{ range(9) }}", 1, "nothing is called range"),
        ("{{ self.b() }}", 1, "call macros only"),
    ],
)
def test_what_they_may_not_say(source, line, says):
    with pytest.raises(TemplateError) as caught:
        read(source)
    assert f"sms.txt, line {line}: " in caught.value.what
    assert says in caught.value.what
    assert caught.value.mend


@pytest.mark.parametrize(
    "source",
    [
        "{{ recipient }}",
        "{{ recipient.name|upper }}",
        "{{ recipient.name ~ '!' }}",
        "{{ recipient['name'] }}",
        "{{ recipient.name or 3 }}",
        "{{ recipient.name or problem }}",
        "{{ recipient.name or recipient.first_name }}",
        "{{ recipient.name and 'x' }}",
        "{{ 'x' if recipient.name }}",
        "{% if recipient.name %}x{% endif %}",
        "{% if recipient.name == 'Ana' %}x{% endif %}",
        "{% for x in recipient %}{% endfor %}",
        "{% set r = recipient %}",
        "{% set recipient = problem %}",
        "{% macro m(recipient) %}{% endmacro %}",
        "{{ recipient.name is defined }}",
        "{{ (recipient.name or 'x')|length }}",
    ],
)
def test_recipients_are_printed_and_nothing_else(source):
    with pytest.raises(TemplateError) as caught:
        read("\n" + source)
    assert "line 2: recipient may only be printed" in caught.value.what


def test_a_slip_is_told_with_the_nearest_name():
    with pytest.raises(TemplateError) as caught:
        read("{{ problm }}")
    assert caught.value.mend == ("Did you mean problem?",)
