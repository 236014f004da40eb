"""Where files are found, and the lines of a TOML file's keys."""

import tomllib

import pytest

from dispatcher import resources
from dispatcher.errors import ConfigurationError
from dispatcher.settings import layers

TOML = '''# a comment = 1
top = 1
"quoted key" = 2
dotted . name = 3
list = [
  "not = a key",
  [1, 2],
]
text = """
inside = "no key"
[no.table]
"""

[table]
key = "[" # ]
[table.below]
key = { inline = 1 }
[[many]]
name = \'\'\'one line = all\'\'\'
'''


def test_every_key_has_the_line_on_which_it_stands(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(TOML, encoding="utf-8")
    tree, lines = resources.read_toml(path)
    assert tree == tomllib.loads(TOML)
    assert lines == {
        "top": 2,
        "quoted key": 3,
        "dotted.name": 4,
        "list": 5,
        "text": 9,
        "table": 14,
        "table.key": 15,
        "table.below": 16,
        "table.below.key": 17,
        "many": 18,
        "many.name": 19,
    }


def test_every_setting_of_the_shipped_file_has_a_line():
    tree, lines = resources.read_toml(resources.find("config", "default.toml"))
    assert {key for key, _ in layers.leaves(tree)} <= set(lines)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbfport = 1\n")
    assert resources.read_toml(path) == ({"port": 1}, {"port": 1})


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes("name = 'é'".encode("utf-16"))
    with pytest.raises(ConfigurationError, match="cannot be read") as wrong:
        resources.read_toml(path)
    assert "UTF-8" in wrong.value.why


def test_the_operators_folder_comes_before_the_shipped_one(tmp_path):
    (tmp_path / "default.toml").write_text("port = 1")
    assert resources.find("config", "default.toml", tmp_path) == tmp_path / "default.toml"
    assert resources.find("config", "example.toml", tmp_path) == resources.shipped("config") / "example.toml"
    assert resources.folders("config", tmp_path / "missing") == (resources.shipped("config"),)


def test_an_installed_package_uses_what_it_ships(tmp_path, monkeypatch):
    (tmp_path / "dispatcher/_shipped/config").mkdir(parents=True)
    monkeypatch.setattr(resources, "package", lambda: tmp_path / "dispatcher")
    assert resources.shipped("config") == tmp_path / "dispatcher/_shipped/config"
    assert resources.shipped("templates") == tmp_path / "templates"


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(ConfigurationError, match=r"config/none\.toml") as wrong:
        resources.find("config", "none.toml", tmp_path)
    assert str(tmp_path) in wrong.value.why
