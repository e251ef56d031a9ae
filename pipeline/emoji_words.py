"""Emoji, emoticons and short forms that people write today, the words of reviews that say the same, and other lists.

Each line gives words in the order of preference: the first that a vocabulary holds is taken. Signs that mean opposite
things to different people (the skull, the upside-down face) are left out.
"""

from __future__ import annotations

_WORDS_OF_SIGNS: tuple[tuple[str, str], ...] = (
    ("love loved", "❤♥🧡💛💚💙💜🤎🖤🤍💖💗💓💞💕💘💝❣😍🥰😘😻💋🫶"),
    (":) smile happy good", "🙂😊☺😀😃😄😁😸😺😇🤗😌😉😋🤠😎🌞😛😜😝🤪"),
    ("hilarious laughing funny", "😂🤣😆😹😅"),
    ("great good", "👍👌🤙🙌👏💪✅✔🎉🥳🎊🆒"),
    ("amazing wonderful great", "🤩🔥✨🌟💫🚀🏆🥇💎👑"),
    ("perfect excellent", "💯"),
    ("thanks please", "🙏"),
    ("* star stars", "⭐★☆✩✭✮✯"),
    ("bad terrible", "👎❌🚫✖"),
    (":( sad disappointed", "🙁☹😞😔😟😕😣😖😥😓🥺😿💔"),
    ("crying tears sad", "😢😭"),
    ("angry hate", "😠😡🤬😤👿💢🖕"),
    ("disgusting awful", "🤮🤢💩🗑🤧"),
    ("boring dull", "😴🥱💤😪"),
    ("annoying disappointed", "🙄😒🤦😑🤨😬😩😫"),
    ("mediocre okay", "😐😶🤷"),
    ("scary shocked", "😱😨😰😧😦👻👹👺🧟"),
    ("wow surprised", "😮😯😲🤯😳🙀"),
    ("thinking wondering", "🤔🧐"),
    ("film movie", "🎬🎥🎞📽🍿"),
    ("tv television", "📺"),
    ("music", "🎵🎶🎼"),
    ("money", "💰💵💸🤑"),
)
_WORDS_OF_FORMS: tuple[tuple[str, str], ...] = (
    (
        ":) :-) smile good",
        ":) :-) :] :} :> =) =] :-] :d :-d =d xd ;d :p :-p =p ;p (: (= (-: ^^ ^_^ ^-^ :') :3 8) ;) ;-) :o)",
    ),
    (":( :-( sad bad", ":( :-( :[ :{ :< =( =[ :-[ :/ :\\ :-/ :-\\ =/ :| :-| ): )-: :'( ;( >:( :c :-c </3 -_- d: >.<"),
    ("love", "<3 luv"),
    ("wow", ":o :-o :0 o_o o.o omg omfg"),
    ("lol laughing", "lmao lmfao rofl lolz lulz lols xdd"),
    ("sucks bad", "sux suxx suxs"),
    ("great", "gr8 grt"),
    ("thanks", "thx thnx thanx tnx"),
    ("please", "pls plz plse"),
    ("you", "u ya yu"),
    ("your", "ur yr"),
    ("because", "cuz coz bc becuz bcuz becoz"),
    ("mediocre okay", "meh mehh"),
    ("disgusting", "yuck yucky eww ew ewww icky"),
    ("embarrassing awkward", "cringe cringy cringey"),
    ("amazing", "amazeballs awsome"),
    ("okay", "kk okey okie alright"),
    ("before", "b4"),
    ("tonight", "2nite tonite"),
    ("opinion", "imo imho imao"),
    ("honestly", "tbh ngl"),
    ("yes", "yep yup yeah yea yess"),
    ("no", "nope nah naw noo"),
    ("people", "ppl peeps"),
    ("favorite favourite", "fav fave favs"),
)

EMOJI_WORDS: dict[str, tuple[str, ...]] = {
    sign: tuple(words.split()) for words, signs in _WORDS_OF_SIGNS for sign in signs
}
"""Of each emoji, the words that may stand for it."""
FORM_WORDS: dict[str, tuple[str, ...]] = {
    form: tuple(words.split()) for words, forms in _WORDS_OF_FORMS for form in forms.split()
}
"""Of each emoticon or short form, lower-cased, the words that may stand for it."""

_FUNCTION_WORDS = (
    "the a an and or but of to in on at for with from by as is was are were be been has have had do does did it its "
    "this that these those he she they we i you his her their my our your there here who which what when where if so "
    "then than him me us them one all just very also some any into out up i'm it's i've mr mrs dr ms st vs etc"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that say little by themselves: of joined words another is taken."""

_SWEAR_WORDS = (
    "fuck fucking fucked fucker shit shitty bullshit ass asshole asses crap crappy damn damned hell bitch bastard piss "
    "pissed dick goddamn"
)
SWEAR_WORDS = tuple(_SWEAR_WORDS.split())
"""What signs in place of letters are to hide."""
