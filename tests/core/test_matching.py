"""Roles and buses from the names of tracks and files."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.names import NAMES, label_of, labelled, shares
from core.matching import Item, assign, dictionary, match_name


def common_names() -> Iterator[tuple[str, str]]:
    """Yield (bus, name)."""
    bus = ""
    for line in (NAMES / "common.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            bus = line.strip("[]")
        elif line and not line.startswith("#"):
            yield from ((bus, name.strip()) for name in line.split("|") if name.strip())


def buses_of(*names: str, kind: str = "file", context: str | None = None) -> list[str | None]:
    return [match.bus for match in assign([Item(name, kind, context) for name in names])]


def tracks(*lines: str) -> list[Item]:
    """Return the tracks of an indented list; a deeper line is inside the folder above it."""
    items: list[Item] = []
    folders: list[tuple[int, int]] = []
    for index, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        folders = [folder for folder in folders if folder[0] < depth]
        items.append(Item(line.strip(), parent=folders[-1][1] if folders else None))
        folders.append((depth, index))
    return items


class TestAccuracy:
    @pytest.mark.parametrize(
        ("file_name", "least"),
        [
            ("names.tsv", (0.94, 0.985, 0.985)),
            ("names_2.tsv", (0.93, 0.99, 0.975)),
            ("holdout.tsv", (0.93, 0.99, 0.97)),
            ("holdout_2.tsv", (0.88, 0.985, 0.97)),
            ("holdout_3.tsv", (0.90, 0.985, 0.975)),
            ("holdout_4.tsv", (0.87, 0.97, 0.98)),
            ("holdout_5.tsv", (0.87, 0.95, 0.965)),
            ("holdout_6.tsv", (0.84, 0.955, 0.95)),
        ],
    )
    def test_least_shares_that_are_right(self, file_name: str, least: tuple[float, float, float]) -> None:
        found = shares(labelled(NAMES / file_name))
        assert {
            name: share.value for name, share in found.items() if share.value < least[list(found).index(name)]
        } == {}

    def test_names_together_are_not_worse_than_names_one_by_one(self) -> None:
        names = labelled(NAMES / "names.tsv")
        by_source: dict[str, list[dict[str, str]]] = {}
        for name in names:
            by_source.setdefault(name.row["source"], []).append(name.row)
        right = 0
        for rows in by_source.values():
            matches = assign([Item(row["name"], row["kind"], row["context"] or None) for row in rows])
            right += sum(label_of(match) == row["bus"] for match, row in zip(matches, rows, strict=True))
        assert right >= sum(name.is_right for name in names)

    def test_common_names(self) -> None:
        wrong = [(name, bus, match_name(name)) for bus, name in common_names() if label_of(match_name(name)) != bus]
        assert wrong == []


class TestSpelling:
    @given(st.sampled_from([name for bus, name in common_names() if bus == "drums" and name.isascii()]))
    def test_separators_and_numbers_do_not_matter(self, name: str) -> None:
        for changed in (f"07_{name}", f"{name}_01-02", name.replace(" ", "_"), name.replace(" ", "-"), f"{name} v3"):
            assert match_name(changed).bus == "drums"

    @given(st.sampled_from([name for _, name in common_names() if " " in name or name.islower()]))
    def test_case_does_not_matter_where_words_are_separated(self, name: str) -> None:
        assert match_name(name.lower()).bus == match_name(name).bus

    @given(st.sampled_from([name for _, name in common_names()]))
    def test_composed_and_decomposed_letters_are_the_same(self, name: str) -> None:
        composed, decomposed = (match_name(unicodedata.normalize(form, name)) for form in ("NFC", "NFD"))
        assert (composed.bus, composed.role) == (decomposed.bus, decomposed.role)

    @given(st.text(max_size=40))
    def test_any_text_gives_a_match_with_either_a_bus_or_a_bar(self, name: str) -> None:
        match = match_name(name, kind="file", context="Audio")
        assert (match.bus is None) != (match.bar is None)
        assert match.reason

    @pytest.mark.parametrize(
        ("name", "role"),
        [
            ("leadvox", "lead vocal"),
            ("kickin", "kick"),
            ("sn_top", "snare"),
            ("gtrL", "electric guitar"),
            ("bgvoxL", "backing vocal"),
            ("ElecGtr2DT", "electric guitar"),
            ("13_DrumsRoom1.wav", "room"),
            ("OHL", "overheads"),
            ("KickD112", "kick"),
            ("eletric-guitar", "electric guitar"),
            ("Overhaeds", "overheads"),
            ("saxaphone", "woodwinds"),
        ],
    )
    def test_words_that_are_written_together_or_misspelled(self, name: str, role: str) -> None:
        assert match_name(name).role == role

    @pytest.mark.parametrize("name", ["Sidekick Story", "Breakdown", "Organic Matter", "Tomorrow", "Rideout"])
    def test_words_that_only_look_like_compounds_have_no_bus(self, name: str) -> None:
        assert match_name(name).bus is None

    def test_tempo_key_date_and_format_do_not_matter(self) -> None:
        name = "Loop 126bpm Key of A [2024-12-21 121900] 48kHz 24bit"
        assert match_name(f"Bass {name}").bus == "bass"
        assert match_name(name).bus is None


class TestCombinations:
    @pytest.mark.parametrize(
        ("name", "bus"),
        [
            ("Bass Drum", "drums"),
            ("Bass Clarinet", "winds"),
            ("Bass Trombone", "brass"),
            ("Synth Bass", "bass"),
            ("Synth Strings", "strings"),
            ("Choir Pad", "synths"),
            ("Lead and rhythm guitar", "guitars"),
            ("Guitar FX", "guitars"),
            ("Vox FX", "vocals"),
            ("Scratch guitar", "guitars"),
            ("Drums Master Bus", "drums"),
            ("Guitar (no reverb)", "guitars"),
            ("Drums with guitar", "drums"),
            ("no_vocals", "melody"),
            ("Vocal Double", "vocals"),
            ("Lead Vox Harmony", "backing vocals"),
            ("Lead Harm Gtr DI", "guitars"),
            ("Gtr Body B3", "guitars"),
            ("B3 L", "keys"),
            ("Piano Room C03", "keys"),
            ("Room Mike C03", "drums"),
            ("Instrument Mix + Perc", "melody"),
            ("HH SILK RED 50%", "drums"),
            ("no width bass", "bass"),
            ("n\u0303o bass", "bass"),
            ("DRUMS \u591c\u306e\u6b4c", "drums"),
            ("\u9752\u3044\u7a7a \u30dc\u30fc\u30ab\u30eb", "vocals"),
            ("Vox Background", "backing vocals"),
            ("other wind", "winds"),
            ("Backing vocal", "backing vocals"),
            ("Sub Group Drums", "drums"),
            ("Vox Sub-Group", "vocals"),
            ("Synth Topline", "synths"),
        ],
    )
    def test_the_deciding_word_is_not_always_the_first(self, name: str, bus: str) -> None:
        assert match_name(name).bus == bus

    @pytest.mark.parametrize(
        "name",
        [
            "PAD + BASS",
            "Kick & Vox",
            "Guitar and Vocals",
            "Rhythm Section",
            "Drums, Bass, Piano",
            "Piano & Synth",
        ],
    )
    def test_instruments_of_several_buses_have_none(self, name: str) -> None:
        match = match_name(name)
        assert (match.bus, match.role) == (None, dictionary.SEVERAL_BUSES)

    @pytest.mark.parametrize("name", ["K & SN", "BD/SN 1", "disto+cleans"])
    def test_instruments_of_one_bus_belong_to_it(self, name: str) -> None:
        assert match_name(name).bus is not None

    @pytest.mark.parametrize(
        "name", ["Long Road (new vox)", "(new vox)", "Long Road (with new drums)", "Long Road no drums"]
    )
    def test_descriptions_of_a_mix_are_mixdowns(self, name: str) -> None:
        assert match_name(name).bar == "mixdown"


class TestBars:
    @pytest.mark.parametrize(
        ("name", "bar"),
        [
            ("Click Track", "click"),
            ("01_CLICK_113bpm.wav", "click"),
            ("Метроном", "click"),
            ("Guide Vox", "guide"),
            ("00_VOZ_GUIA.wav", "guide"),
            ("仮歌", "guide"),
            ("Scratch Vocal", "guide"),
            ("Ref Track", "reference"),
            ("Long Road Mix 3.wav", "mixdown"),
            ("Master", "mixdown"),
            ("MIX BUS", "mixdown"),
            ("Vox Verb", "effect return"),
            ("Drum Parallel", "effect return"),
            ("1/4 DLY", "effect return"),
            ("Kick Trigger", "midi"),
            ("keys-midi", "midi"),
            ("PART REAL_KEYS_X", "midi"),
            ("Voice Over", "speech"),
            ("VCA Drums", "control track"),
            ("Bass (MIDI)", "midi"),
            ("Field of Rain Mix", "mixdown"),
            ("Nora Mon L", "control track"),
            ("FX Busses", "effect return"),
            ("FX Rev 1", "effect return"),
            ("Side Fill L", "control track"),
            ("Long Way Home", "unknown"),
            ("DBL 8", "unknown"),
            ("Solo", "unknown"),
            ("FX 1", "unknown"),
            ("Music", "unknown"),
        ],
    )
    def test_what_belongs_to_no_bus(self, name: str, bar: str) -> None:
        match = match_name(name)
        assert (match.bus, match.bar) == (None, bar)

    def test_a_numbered_file_of_effects_is_one_and_a_numbered_track_may_be_a_return(self) -> None:
        assert [match_name("FX 1", kind=kind).bus for kind in ("file", "track")] == ["fx", None]

    def test_the_reason_and_the_words_are_for_the_user(self) -> None:
        match = match_name("02_SN Btm")
        assert (match.words, match.reason) == (("sn btm",), '"sn btm" means snare')


class TestContext:
    def test_the_folder_decides_where_the_name_does_not(self) -> None:
        assert match_name("L", context="EG Bus").bus == "guitars"
        assert match_name("Lead", context="Vocals").bus == "vocals"
        assert match_name("Mic 3", context="Drums/Close").bus == "drums"

    def test_the_folder_does_not_decide_where_the_name_does(self) -> None:
        assert match_name("Tambourine", context="SFX").bus == "percussion"
        assert match_name("Addictive Keys", context="Synth").bus == "keys"
        assert match_name("Lost Summer", kind="file", context="Beats").bus is None
        assert match_name("VOC HARMS", context="VOCAL MIX").bus == "backing vocals"

    def test_other_in_a_folder_means_the_rest_of_that_folder(self) -> None:
        assert match_name("Other").bus == "melody"
        assert match_name("Voc Other", context="Vocal Mix").bus == "vocals"

    def test_a_word_may_mean_something_else_in_a_folder(self) -> None:
        assert match_name("Bass", context="Choir").bus == "backing vocals"
        assert match_name("Double Bass", context="Strings").bus == "strings"
        assert match_name("Alto", context="Saxes").bus == "winds"


class TestFolderOfFiles:
    def test_the_title_of_the_song_does_not_matter(self) -> None:
        names = ("Bass Culture - Kick.wav", "Bass Culture - Snare.wav", "Bass Culture - Vox.wav", "Bass Culture.wav")
        assert buses_of(*names) == ["drums", "drums", "vocals", None]

    def test_a_file_named_only_by_the_song_title_is_the_mixdown(self) -> None:
        names = ("Kick.wav", "Bass.wav", "Long_Road.wav")
        matches = assign([Item(name, "file") for name in names], song="Long Road")
        assert matches[2].bar == "mixdown"

    def test_a_word_that_all_names_share_still_counts(self) -> None:
        assert buses_of("Lead Vox", "Backing Vox", "Gang Vox") == ["vocals", "backing vocals", "backing vocals"]
        assert buses_of("Drum A", "Drum B", "Drum C") == ["drums"] * 3

    def test_an_instrumental_mix_is_not_a_stem_next_to_its_instruments(self) -> None:
        assert buses_of("Vocals.wav", "Instrumental.wav") == ["vocals", "melody"]
        assert buses_of("Drums.wav", "Bass.wav", "Vocals.wav", "Instrumental.wav")[3] is None

    def test_a_mix_of_drums_only_among_other_mixes_is_not_a_drum_stem(self) -> None:
        assert buses_of("Long Road.wav", "Field Days.wav", "Long Road DrumsOnly.wav") == [None, None, None]

    @pytest.mark.parametrize(
        ("names", "buses"),
        [
            (("vocals", "accompaniment"), ["vocals", "melody"]),
            (("vocals", "no_vocals"), ["vocals", "melody"]),
            (("1_Song_(Vocals)", "1_Song_(Instrumental)"), ["vocals", "melody"]),
            (("guitar", "bass", "rhythm", "drums_1", "song"), ["guitars", "bass", "guitars", "drums", None]),
            (("Session-DRUM BUS", "Session-Bass", "Session-VOX"), ["drums", "bass", "vocals"]),
        ],
    )
    def test_stems_of_common_tools(self, names: tuple[str, ...], buses: list[str | None]) -> None:
        assert buses_of(*names) == buses

    def test_alto_next_to_saxophones_is_one(self) -> None:
        assert buses_of("Tenor sax", "Bari sax", "Alto") == ["winds"] * 3
        assert buses_of("Soprano", "Tenor", "Alto") == ["backing vocals"] * 3


class TestProject:
    def test_folders_are_buses_and_unknown_tracks_in_them_belong_to_them(self) -> None:
        items = tracks(
            "MIX BUS",
            "  DRUM BUS",
            "    Kick",
            "    Mic 7",
            "  MUSIC BUS",
            "    Gtr L",
            "    Keys",
            "  VOCAL BUS",
            "    Lead",
            "    BGV",
        )
        assert [match.bus for match in assign(items)] == (
            [None, "drums", "drums", "drums", "melody", "guitars", "keys", "vocals", "vocals", "backing vocals"]
        )

    def test_a_folder_with_an_unknown_name_belongs_to_the_bus_of_its_tracks(self) -> None:
        matches = assign(tracks("Alex", "  Kick", "  Snare", "  Something"))
        assert [match.bus for match in matches] == ["drums"] * 4

    def test_a_folder_with_several_main_buses_is_not_one(self) -> None:
        matches = assign(tracks("Drums", "  Kick", "  Bass", "  Gtr"))
        assert [match.bus for match in matches] == [None, "drums", "bass", "guitars"]

    def test_all_tracks_of_a_role_belong_to_its_bus(self) -> None:
        items = [Item(name) for name in ("Lead Guitar", "Rhythm Guitar", "Lead Vocal", "Vocal Double")]
        assert [match.bus for match in assign(items)] == ["guitars", "guitars", "vocals", "vocals"]

    def test_sends_and_missing_audio_decide_only_where_names_do_not(self) -> None:
        matches = assign([Item("Alex", receives_only=True), Item("Kick", has_audio=False), Item("Jo", has_audio=False)])
        assert [match.bus for match in matches] == [None, "drums", None]
        assert matches[0].bar == "effect return"
        assert matches[2].reason == "it has no audio"


class TestPhrases:
    def test_every_phrase_names_a_known_role(self) -> None:
        roles = {phrase.role for phrase in dictionary.phrases().values()}
        assert roles == {*dictionary.BUS_OF_ROLE, *dictionary.BARS, dictionary.SEVERAL_BUSES, dictionary.AMBIGUOUS}

    def test_words_of_compounds_are_phrases_or_describe(self) -> None:
        known = dictionary.phrases().keys() | dictionary.neutral_words()
        for name in ("parts of compounds", "whole names"):
            assert dictionary.word_list(name) <= known

    def test_matching_needs_no_numeric_library(self) -> None:
        code = "import sys; from core.matching import match_name; match_name('Kick'); sys.exit('numpy' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=NAMES.parents[1], check=False).returncode == 0  # noqa: S603 - a list
