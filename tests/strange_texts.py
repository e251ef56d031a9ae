"""Texts of our own writing that a model of English reviews cannot read well, by kind, and unusual ones that it can."""

import base64

FOREIGN = {
    "german": (
        "Der Film hat mich von der ersten Minute an gefesselt. Die Schauspieler sind hervorragend, die Musik "
        "passt und das Ende war so nicht zu erwarten. Ich habe selten einen so ruhigen und zugleich "
        "spannenden Abend erlebt."
    ),
    "german, short": ("Leider war das Hotel in der Nähe laut und das Frühstück kalt, wir kommen nicht wieder."),
    "german, in capitals": (
        "EIN WIRKLICH SCHÖNER FILM! ICH WILL IHN SOFORT NOCH EINMAL SEHEN, AM BESTEN MIT MEINER MUTTER."
    ),
    "german, no accents": (
        "Die Lieferung kam am Montag an, das Paket war offen und ein Teil hat gefehlt. Der Service will in "
        "der kommenden Woche einen Ersatz senden. Na ja, was soll man da sagen."
    ),
    "french": (
        "J'ai trouvé ce film un peu long, mais la fin est belle et les acteurs sont formidables. On ne "
        "s'ennuie pas une seconde, et la musique de la dernière scène reste longtemps dans la tête."
    ),
    "french, short": ("Une histoire sans intérêt, des dialogues plats et une fin qui ne surprend personne."),
    "french, no accents": (
        "Le service a ete tres lent et le repas est arrive froid, mais le dessert nous a sauve la soiree. On "
        "ne va pas revenir avec des amis."
    ),
    "spanish": (
        "La película me pareció maravillosa, con una historia sencilla que no te suelta hasta el final. Los "
        "actores están muy bien y la música es preciosa. No me canso de verla con mi familia."
    ),
    "spanish, short": "No me gusta nada este producto, se rompe al primer uso y la tienda no responde.",
    "italian": (
        "Un film noioso e senza anima, peccato per gli attori che sono tutti molto bravi. La storia non "
        "decolla mai e il finale, che doveva commuovere, fa solo sorridere. Non lo consiglio a nessuno."
    ),
    "italian, short": ("La camera era pulita, il letto comodo e la colazione davvero buona, torneremo presto."),
    "dutch": (
        "We waren in het begin niet echt onder de indruk, maar na een half uur was het een prachtige film. "
        "Het verhaal is eenvoudig, de muziek is mooi en je wil daarna meteen weer naar huis om te bellen."
    ),
    "dutch, short": ("De bezorging was een dag te laat en het glas was in stukken, ik wil mijn geld terug."),
    "portuguese": (
        "O filme é muito bom, mas a segunda parte demora demais e perde o ritmo. Gostei da fotografia e da "
        "atriz, que faz de tudo para salvar um texto fraco. Vale a pena ver uma vez."
    ),
    "polish": (
        "Bardzo dobry film, dawno nie widziałem tak spokojnej i mądrej historii. Aktorzy grają świetnie, a "
        "muzyka zostaje w głowie na długo."
    ),
    "turkish": (
        "Bu filmi çok sevdim, oyuncular gerçekten harika ve müzik insanın içine işliyor. Sonunu hiç "
        "beklemiyordum, tekrar izlemek isterim."
    ),
    "indonesian": (
        "Film ini sangat bagus dan saya suka sekali dengan ceritanya. Para pemain juga hebat, tetapi bagian "
        "akhir terasa agak terlalu cepat."
    ),
    "latin": (
        "Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae, aliam Aquitani, tertiam qui "
        "ipsorum lingua Celtae, nostra Galli appellantur."
    ),
    "russian": (
        "Фильм оказался намного лучше, чем я ожидал. Актёры играют прекрасно, музыка подобрана со вкусом, и "
        "даже финал, который многим не понравился, мне показался честным."
    ),
    "greek": (
        "Η ταινία μου άρεσε πάρα πολύ, οι ηθοποιοί ήταν εξαιρετικοί και η μουσική με συγκίνησε από την αρχή "
        "ως το τέλος."
    ),
    "arabic": ("كان الفيلم رائعا من البداية حتى النهاية والممثلون قدموا أداء ممتازا والموسيقى كانت جميلة جدا"),
    "hindi": ("यह फिल्म मुझे बहुत अच्छी लगी, कलाकारों ने बहुत अच्छा काम किया है और संगीत दिल को छू लेता है।"),
    "korean": "이 영화는 처음부터 끝까지 정말 재미있었고 배우들의 연기도 훌륭했으며 음악도 오래 기억에 남았습니다.",
    "chinese": (
        "这部电影从头到尾都非常精彩，演员的表演十分自然，音乐也很动人。我和家人一起看了两遍，每一遍都有新的感"
        "受，尤其是最后一幕，让人久久不能忘记。如果你喜欢安静的故事，那么一定不要错过它。"
    ),
    "japanese": (
        "この映画は最初から最後まで本当に面白かったです。俳優の演技も素晴らしく、音楽も心に残りました。"
        "もう一度家族と一緒に見たいと思います。"
    ),
}

NO_LANGUAGE = {
    "lorem ipsum": (
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore "
        "et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut "
        "aliquip ex ea."
    ),
    "python": (
        "def total(rows):\n    result = {}\n    for row in rows:\n        key = row['id']\n        result[key] = "
        "result.get(key, 0) + int(row['count'])\n    if not result:\n        raise ValueError(f'no rows: "
        "{rows!r}')\n    return sorted(result.items(), key=lambda item: -item[1])\n"
    ),
    "json": (
        '{"id": 4711, "user": {"name": "k.meier", "age": 41}, "items": [{"sku": "A-17", "qty": 2, "price": '
        '3.5}, {"sku": "B-99", "qty": 1, "price": 12.0}], "paid": true, "ts": "2024-03-01T12:00:00Z"}'
    ),
    "html": (
        '<div class="row"><span id="x1" style="color:red">17</span><ul><li><a '
        'href="/p?id=3">A</a></li><li><a href="/p?id=4">B</a></li></ul><script '
        'src="/js/app.min.js"></script></div>'
    ),
    "log of a database": (
        "2024-01-01 12:00:01.123 INFO [pool-1] SELECT id, name, price FROM products WHERE id = 17 LIMIT 10; "
        "rows=1 ms=3\n2024-01-01 12:00:01.456 WARN [pool-2] UPDATE users SET last_seen = 1704110401 WHERE id "
        "= 99; ms=812"
    ),
    "log of a server": (
        '10.0.0.7 - - [01/Jan/2024:12:00:01 +0000] "GET /index.php?p=3 HTTP/1.1" 404 512 "-" "curl/8.1"\n'
        '10.0.0.9 - - [01/Jan/2024:12:00:02 +0000] "POST /login HTTP/1.1" 200 128 "-" "curl/8.1"'
    ),
    "hexadecimal": " ".join(f"{number * 2654435761 % 2**32:08x}" for number in range(1, 30)),
    "base64": base64.b64encode(bytes(number * 37 % 251 for number in range(300))).decode(),
    "base64, in lines": base64.encodebytes(bytes(number * 91 % 253 for number in range(900))).decode(),
    "row of letters": " ".join("".join(chr(97 + (i * 7 + j * 11) % 26) for j in range(4 + i % 5)) for i in range(30)),
    "parts": (
        "SKU-10293 M8x40 A2-70 DIN933 qty 100; SKU-10294 M10x60 A4-80 DIN931 qty 50; SKU-10295 M6x20 8.8 DIN912 qty 200"
    ),
}

UNUSUAL_ENGLISH = {
    "capitals": ("THIS IS THE WORST FILM I HAVE EVER SEEN AND I WANT MY MONEY BACK!!!!!! DO NOT WATCH IT!!!!!"),
    "shouts": "NO NO NO NO NO NO NO NO NO NO NO NO NO NO NO!!!!!!!!!!!!!!!",
    "list of praise": (
        "Superb acting, wonderful direction, brilliant script, stunning visuals, amazing score, highly recommended."
    ),
    "telegram": (
        "Great phone, bad battery. Screen bright, camera sharp, speakers loud. Delivery late, box damaged. Four stars."
    ),
    "noisy": ("omg sooooo goooood!!! luv it sm, cant wait 4 teh sequel lol :) best movi evr made tbh gr8 actin 2"),
    "cast list": (
        "Starring John Smith, Mary Jones, Peter Brown and Susan Miller. Directed by Tom Clark. Music by Anne "
        "White. Good fun."
    ),
    "score only": "10/10",
    "faces": "🙂🙂🙂🙂🙂🙂🙂🙂",
    "one long word": "Supercalifragilisticexpialidocious!",
    "stretched": "A" + "w" * 150 + "esome",
    "dots": "Boring" + "." * 200 + "really.",
    "stars": "* " * 60 + "five stars",
    "an address alone": (
        "see https://www.example.com/reviews/2024/01/a-very-long-title-of-a-film-nobody-saw?id=17 for the rest"
    ),
    "few words": "Sehr gut, danke!",
    "a foreign title": (
        "I saw 'Das Leben der Anderen' and 'La vita è bella' in one evening, and the first is the better of the two."
    ),
    "a quote": (
        "As they say in France, 'tout est bien qui finit bien', and so it is with this one, which I liked a lot."
    ),
    "names": (
        "Kurosawa, Mizoguchi and Ozu would have been proud of this; Toshiro Mifune and Takashi Shimura are "
        "as good as ever."
    ),
}
