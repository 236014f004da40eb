"""What was frozen is read without the template that it came from; a draft is not, for it has no words yet."""

import pytest

from dispatcher.errors import TemplateError
from dispatcher.model.kinds import Severity
from dispatcher.services import previewing
from tests.services.desk import Desk


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "templates" / "messages").mkdir(parents=True)
    made = Desk(tmp_path, templates_dir=str(tmp_path / "templates"), **{"organisation.domain": "example.com"})
    yield made
    made.ctx.ledger.close()


def test_words_are_previewed_although_their_template_was_broken_since(desk, tmp_path):
    frozen = desk.submitted("apology", severity=Severity.MINOR)
    draft = desk.draft("apology", severity=Severity.MINOR)
    before = previewing.preview(desk.ctx, frozen.ref)
    own = tmp_path / "templates" / "messages" / "apology"
    own.mkdir()
    (own / "template.toml").write_text("id = [")
    assert previewing.preview(desk.ctx, frozen.ref) == before != []
    with pytest.raises(TemplateError):
        previewing.preview(desk.ctx, draft.ref)
