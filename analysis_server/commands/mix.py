"""`faderwise mix`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import assignment, options, results
from analysis_server.models import DEFAULT_MODEL
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise mix MySong
  faderwise mix MySong --model mine --target-lufs -16 --out mixed
  faderwise mix MySong --bus vocals=lead.wav --range 0:45-2:10
  faderwise mix MySong --like OtherSong --ride vocals=60 --keep drums
  faderwise mix MySession.RPP --bus 'vocals=Lead Vox' --bus 'vocals=Harmonies'
  faderwise mix RawTracks --level tracks"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    options.add_song_options(parser)
    text = f"the model to mix with ({DEFAULT_MODEL})"
    model = parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE", help=text)
    options.completed_by(model, "models")
    text = "only this part, in seconds or m:ss-m:ss"
    parser.add_argument("--range", dest="range_s", type=options.range_s, metavar="A:B", help=text)
    text = "the loudness of the mix (default: that of the plain sum)"
    parser.add_argument("--target-lufs", type=options.lufs, metavar="X", help=text)
    text = "take over the relative loudness of the buses of a finished session, song folder or run"
    parser.add_argument("--like", metavar="SONG_DIR|SESSION.RPP|RUN", help=text)
    text = "how much of the predicted balance to apply, 0 to 200 percent (100)"
    parser.add_argument("--depth", dest="depth_percent", type=options.percent, default=100.0, metavar="P", help=text)
    text = "keep a bus steady against the others, 0 to 100 percent; give it again for other buses"
    parser.add_argument("--ride", type=options.ride, action="append", default=[], metavar="BUS=P", help=text)
    text = "leave the fader of this bus as it is and place the others around it; give it again for other buses"
    parser.add_argument("--keep", action="append", default=[], metavar="BUS", help=text)
    parser.add_argument(
        "--level",
        choices=("buses", "tracks"),
        default="buses",
        help="what gets a gain: each bus, or each single file or track, inside its bus and with it (buses)",
    )
    parser.add_argument(
        "--existing",
        choices=("combine", "replace"),
        default="replace",
        help="your own volume moves in a project: keep them on top of the new gains, or replace them (replace)",
    )
    text = "add an excerpt of every bus to the report, for solo and mute"
    parser.add_argument("--stems-in-report", action="store_true", help=text)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Mix a song and print the result."""
    from analysis_server.commands.dispatch import perform
    from analysis_server.verbs import mix

    fields = {**options.song_fields(arguments, arguments.song), "ride_percent": dict(arguments.ride)}
    request = options.request_of(mix.MixRequest, arguments, **fields)
    assignment.print_short(arguments, terminal, arguments.song)
    results.print_mix(perform(request, mix.run, terminal), terminal, opens=arguments.open)
