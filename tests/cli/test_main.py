"""What `nn` makes of an error that no verb has looked for."""

import pytest

from nncli.cli import main


def test_a_file_that_may_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "locked/\x1b[2Ja.csv")

    monkeypatch.setattr(main, "app", locked)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "locked/�[2Ja.csv: permission denied; check its permissions\n"
