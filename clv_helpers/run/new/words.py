"""The words by which a header is recognised, in English, German, French, Spanish, Italian and Dutch.

A header is compared as small letters and digits, its words apart: `InvoiceNo`, `invoice_no` and `Invoice-No` are
`invoice no`. Per role the patterns stand in the order of their weight; the first that fits counts.
"""

# ruff: noqa: E501 (tables of words)

from __future__ import annotations

import re
import unicodedata

_NUMBER = r"(id|no|nr|num|number|nummer|key|code|ref|reference|referenz|numero|codigo|codice)"
_OF = r"(de |del |della |di |du |d |van |la |le |l )*"
_WHO = (
    r"(customers?|clients?|cust|members?|membership|guests?|donors?|donators?|users?|buyers?|shoppers?|subscribers?|"
    r"visitors?|patients?|accounts?|households?|contacts?|supporters?|passengers?|kunden?|klanten?|klant|mitglieds?|"
    r"debitor(en)?|gast|gaste|spender|cliente|clienti|clientes|acheteur|adherent|membre|socio|usuario|comprador|"
    r"debiteur|payer|person|player|profile)"
)
_ORDER = (
    r"(order|sales order|invoice|receipt|transaction|trans|txn|ticket|basket|booking|bill|sale|sales|purchase|check|"
    r"charge|payment|reservation|bon|beleg|kassenbon|rechnungs?|bestell|bestellungs?|auftrags?|vorgangs?|buchungs?|"
    r"bestel|bestelling|factuur|commande|cmd|facture|pedido|factura|fattura|ordine|scontrino|compra|venta|vente|achat)"
)
_BOUGHT = (
    r"(order|ordered|purchase|purchased|invoice|transaction|trans|txn|sale|sales|gift|donation|payment|paid|booked|"
    r"booking|flight|visit|receipt|bestell|bestellungs|rechnungs|buchungs|kauf|beleg|auftrags|verkaufs|bestel|"
    r"factuur|commande|facture|achat|vente|pedido|factura|compra|venta|fattura|ordine|acquisto|event|t)"
)
_DAY = r"(dates?|day|datum|tag|time|timestamp|datetime|ts|at|on|dt|dat|zeit|zeitpunkt|fecha|data|jour|heure)"

ROLES: dict[str, tuple[str, ...]] = {
    "customer_id": (
        rf"{_WHO}( user| unique| account| member)? ?{_NUMBER}",
        rf"{_NUMBER} {_OF}{_WHO}",
        rf"n {_WHO}",
        _WHO,
        rf"{_WHO} .*\b(id|no|number)\b.*",
        r"(loyalty|bonus|kunden|treue|member)? ?(card|karte|kartennummer|tarjeta|carte|carta|tessera)( \w+)?( ?(id|no|nr|number|nummer))?",
        r"loyalty.*|.*fidel\w+.*",
        rf"\w+ {_WHO} {_NUMBER}",
    ),
    "customer_name": (
        rf"{_WHO} ?(full )?name", r"(full|billing|bill to|shipping|contact) ?name", rf"(nom|nombre|nome|naam) {_OF}{_WHO}",
        r"auftraggeber|zahlungspflichtiger|beguenstigter|begunstigter|payer|payee|empfanger|firma|company|ragione sociale|name|kundenname|raison sociale|tiers",
    ),
    "email": (r"(customer |billing |contact |buyer |kunden )?e ?mail.*", r".*\be ?mail\b.*", r".*(courriel|correo|mailadres).*"),
    "order_id": (
        rf"(\w+ )?{_ORDER} ?{_NUMBER}",
        rf"{_NUMBER} {_OF}{_ORDER}",
        rf"n {_OF}{_ORDER}",
        _ORDER,
        r"bestellnummer|rechnungsnummer|bonnummer|belegnummer|auftragsnummer|bestelnummer|rechnungsnr|bestellnr|belegnr",
        r"(referenc|referenz|referencia|riferimento)\w*",
        r"id",
    ),
    "occurred_at": (
        rf"{_BOUGHT} ?{_DAY}( \w+)?", rf"{_DAY} {_OF}{_BOUGHT}", rf"order {_BOUGHT} {_DAY}",
        rf"{_BOUGHT} on|{_BOUGHT} at", r"(date )?(created|processed|completed|placed)( at| on| date| utc)*", r"date( time)?( gmt| utc)?",
        _DAY, r"buchungstag|bestelldatum|rechnungsdatum|kaufdatum|belegdatum|valuta|wertstellung|besteldatum|factuurdatum",
        rf".*\b{_DAY}\b.*", r".*(datum|date)",
    ),
    "amount": (
        r"net sales|net (amount|amt|total|value|revenue)|total net|netto ?(betrag|umsatz)|umsatz netto",
        r"(grand|order|invoice|sales?|transaction|bill|basket) ?total( amount| price)?( purchased)?|grand total.*|order total amount|total (amount|price|paid|sales?|value|revenue|spent|order value)|total",
        r"(gesamt|rechnungs|bestell|end)(betrag|preis|summe|wert)|gesamt|total ttc|montant( total)?( ttc)?|importe( total)?|totaal(bedrag)?|bedrag|totale|importo( totale)?|total (a pagar|general)",
        r"(sales?|order|payment|transaction|gift|purchase|donation|invoice|txn|trans|basket) ?(value|amount|amt|sum)|amount( paid| spent| usd| eur| gbp)?|betrag( in)?( \w{3})?|summe|umsatz|erlos|ventas?|chiffre d affaires|line ?(total|amount|item total)|item ?(total|subtotal)",
        r"(revenue|spend|spent|sales|paid|turnover|value|sum|netto|brutto|gross sales|gross)( \w{3})?|(fee|price|amount) paid|\w+ (spent|paid|earned|value)|miles.*|points.*",
        r"sum \w{3}|\w+ (amount|amt|revenue|betrag|umsatz)|monto|valor( total)?|ukupno|kwota|belopp|amount \w+",
        r"item price|.*total.*",
        r"(sub ?total|zwischensumme|sous total|imponibile|untaxed amount|base imponible)( \w+)?",
    ),
    "price": (
        r"(unit|item|sales?|selling|retail|list|single|net|piece|product)? ?(price|prices)( each| per (unit|item))?",
        r"(einzel|stuck|vk|verkaufs|netto|brutto|artikel)? ?preis|(prix|precio|prezzo|prijs)( unit\w*| de vente| u)?|p u( ht| ttc)?|stukprijs",
    ),
    "quantity": (
        r"(qty|quantity|quantities|units|pieces|pcs|count|items|item count)|(quantity|qty|units|number of items)( \w+)?|\w+ (qty|quantity)|n cds",
        r"menge|anzahl|stuck|stuckzahl|stk|quantite|qte|cantidad|cant|unidades|quantita|aantal|qta",
    ),
    "currency": (r"(\w+ )?currency( code)?|ccy|(\w+ )?(wahrung|devise|moneda|valuta|divisa|monnaie)|cur|curr",),
    "status": (
        r"financial status|(order|payment|booking|transaction|sale|invoice)? ?(status|state)|(bestell|zahlungs|auftrags)? ?status|etat|estado|stato|zustand|statut",
    ),
    "refunded": (
        r"(amount refunded|refunded amount|total refunded|refunds?( amount| total)?|order refund amount|refunded)",
        r"erstatt\w*( betrag)?|gutschrift|(montant )?rembourse\w*|reembols\w*|rimbors\w*|importe reembolsado",
    ),
    "refund_of": (
        rf"(refund of|refunded|original|parent|reversed|related) ?{_ORDER}( ?{_NUMBER})?|refund of|storno zu|ursprungs\w+",
    ),
    "tax": (
        r"(total |order |sales )*(tax|taxes|vat|gst)( total| amount)*|tax ?total|mwst\w*|ust|umsatzsteuer|steuer|tva|iva|btw|impuestos?|taxe|order total tax amount",
    ),
    "shipping": (
        r"(order |total )*(shipping|postage|delivery|freight)( (cost|costs|price|rate|amount|total|charge|fee|paid))*|versand(kosten)?|porto|frais de (port|livraison)|livraison|(gastos de )?envio|verzendkosten|spese di spedizione|spedizione|portes",
    ),
    "discount": (
        r"(total |order |retail |coupon )*(discounts?|disc)( amount| total)*|rabatt|nachlass|remise|reduction|descuento|sconto|korting",
    ),
    "product": (
        r"(product|item|line ?item|article|goods) ?(name|title|description)|(artikel|produkt) ?(bezeichnung|name)",
        r"(product|item|article|artikel|produkt|produit|producto|prodotto|articulo|articolo|description|bezeichnung|designation|titel|title|descripcion|descrizione|omschrijving)",
    ),
    "product_id": (
        rf"(product|item|article|artikel|produkt|material|variant|line ?item)s? ?(sku|{_NUMBER})|(stock|article|product) code|{_NUMBER} {_OF}(article|produit|producto|prodotto|articulo|articolo)",
        r"sku|asin|ean|upc|gtin|isbn|artikelnummer|artikelnr|(line ?item|variant) sku|plu",
    ),
    "category": (
        r"(\w+ )?(tier|segment|customer (type|group)|kundengruppe|klasse|class)",
        r"(sales )?(channel|store|branch|location|plan|appeal|purchase point|filiale|markt|magasin|boutique|tienda|canal|kanal|vertriebsweg|winkel|negozio|outlet)( \w+)?|(channel|store|branch|location|sales channel) ?(id|name)",
        r"(\w+ )?(category|categorie|kategorie|categoria|type|warengruppe)",
        # parts of an address last; of a system's export, `state` alone is how far a sale has come
        r"(\w+ )*(country|region|land|pays|pais|paese|provincia|bundesland|province|country code)|(\w+ )+state|(country|region)( \w+)?|state \w+",
    ),
    "first_name": (r"(customer |billing )?(first|given|fore) ?name|vorname|prenom|nombre|nome|voornaam",),
    "last_name": (r"(customer |billing )?(last|family|sur) ?name|nachname|familienname|apellidos?|cognome|achternaam|nom( de famille)?",),
    "email_consent": (
        r"(accepts?|opt ?in|consent|subscribed|newsletter|permission)( \w+)*|\w+ (consent|opt ?in|opted in|optin)|werbeeinwilligung|email (marketing|consent).*",
    ),
    "joined_on": (
        r"(join|joined|signup|sign up|registration|registered|member since|customer since|created|date created|kunde seit|mitglied seit|angelegt|registriert|inscription|fecha de alta|alta|date d inscription)( \w+)*",
    ),
    "region": (r"(\w+ )?(region|state|province|country|bundesland|land|pays|pais|provincia|county)",),
    "message_id": (r"(message|msg|mail|email|smtp)s? ?id|message",),
    "campaign": (r"(campaign|kampagne|campagne|campana|campagna|newsletter|mailing)( ?(name|title|id|subject|titel))?|subject|betreff",),
    "event_type": (r"(event|activity|action|metric|ereignis)( ?(type|name|action))?|type|status|aktion|evento|evenement",),
    "url": (r"(clicked )?(url|link)( clicked)?",),
    "user_agent": (r"user ?agent|client",),
    "bounce_type": (r"bounce ?(type|class|classification|category)",),
    "bounce_code": (r"bounce ?code|smtp ?code|reason",),
}  # fmt: skip

AGAINST: dict[str, str] = {
    "customer_id": r"name|nom|nombre|naam|country|city|region|segment|type|age|since|seit|group|tier|status|notes?|e ?mail|phone|address|zip|order|orders|date|spent|total|state|class|lifetime|gender|company|credit|number of",
    "occurred_at": r"birth|ship|shipped|deliver|delivered|delivery|due|update|updated|modified|join|joined|signup|since|expir\w+|cancel\w*|refund\w*|check|departure|arrival|geburt\w*|liefer\w*|fallig\w*|versand\w*|seit|geandert|livraison|naissance|nacimiento|entrega|vencimiento|envio|scadenza|estimated|approved|carrier|last|first|from|until|limit",
    "amount": r"tax|vat|discounts?|shipping|postage|id|no|count|qty|quantity|refund\w*|fees|profit|cost|costs|unit|items|orders|tip|tips|balance|before|versand\w*|steuer|mwst|iva|tva|rabatt|remise|descuento|envio|port|outstanding|points balance|status|date|commission|method|currency|number|due",
    "price": r"shipping|total|tax|discount|cost",
    "order_id": r"date|time|day|total|amount|value|status|type|state|customer|user|item|line|product|row|note|channel|source",
    "quantity": r"price|total|refund\w*|discount",
    "email": r"opt|consent|accepts?|marketing|subscri\w+|status|campaign|subject|id|type",
    "product": r"id|price|type|category|sku|code|qty|quantity|count|vendor",
    "category": r"date|id(?!$)|zip|tax|product|payment|status|shipping",
    "customer_name": r"product|item|first|last|campaign",
    "shipping": r"address|city|name|country|zip|method|company|phone|province|street|date|state|mode",
    "tax": r"id|number|without|excl",
}

REFUNDED = re.compile(
    r"(fully )?(refund(ed)?|returned|chargeback|charged back|erstattet|ruckerstattet|rembours\w*|reembols\w*|devuelt\w*|devolu\w*|rimbors\w*|retour\w*)"
)
LEFT_OUT = re.compile(
    r"cancel\w*|void\w*|pending( \w+)?|fail\w*|declined?|denied|expired|abandon\w*|draft|unpaid|on hold|checkout draft|trash|storni\w*|"
    r"abgebrochen|offen|annul\w*|en attente|echou\w*|anul\w*|pendiente|rechaz\w*|fallid\w*|annull\w*|geannuleerd|blocked|uncaptured|"
    r"requires \w+|incomplete|quotation|authorized|awaiting payment"
)  # fmt: skip
COUNTED = re.compile(
    r"paid|completed?|complete|shipped|delivered|fulfilled|processing|succeeded|success\w*|confirmed|captured|closed|invoiced|approved|"
    r"partially \w+|abgeschlossen|bezahlt|versendet|geliefert|erledigt|livr\w*|paye\w*|expedi\w*|termin\w*|complet\w*|pagad\w*|entregad\w*|"
    r"enviad\w*|evaso|spedito|betaald|verzonden|sales order|available|done|active|placed|received|ok|checked out|settled"
)  # fmt: skip
EVENTS = {
    "sent": r"sent|send|processed|requests?|versendet|envoy\w*|enviad\w*", "delivered": r"deliver(ed|y)?|zugestellt|received.*",
    "bounced": r"(hard|soft)?[ _]?bounced?|dropped|blocked|hard bounce|soft bounce", "opened": r"open(ed|s)?|unique_?opened|geoffnet|first opening|opened.*",
    "clicked": r"click(ed|s)?|geklickt|clicked.*", "unsubscribed": r"unsub(scribed?)?|unsubscribe.*|abgemeldet",
    "complained": r"complain(ed|t)?|spam.*|abuse|marked.*spam|spam ?report",
}  # fmt: skip
FEES = re.compile(
    r".*\b(postage|shipping|carriage|delivery|freight|fee|fees|bank charges|adjust\w*|bad debt|manual|discount|voucher|gift card|"
    r"samples?|test product|test|deposit|handling|commission|tip|versand\w*|porto|gebuhr\w*|rabatt|gutschein\w*|anpassung|pfand|"
    r"frais\w*|livraison|remise|acompte|envio|gastos|descuento|propina|spedizione|verzend\w*)\b.*"
)
COUNTRIES = {
    "united kingdom": "GBP", "uk": "GBP", "gb": "GBP", "great britain": "GBP", "england": "GBP", "united states": "USD", "usa": "USD", "us": "USD",
    "united states of america": "USD", "germany": "EUR", "deutschland": "EUR", "de": "EUR", "france": "EUR", "fr": "EUR", "spain": "EUR",
    "espana": "EUR", "es": "EUR", "italy": "EUR", "italia": "EUR", "netherlands": "EUR", "nl": "EUR", "austria": "EUR", "osterreich": "EUR",
    "at": "EUR", "belgium": "EUR", "ireland": "EUR", "eire": "EUR", "portugal": "EUR", "finland": "EUR", "switzerland": "CHF", "schweiz": "CHF",
    "sweden": "SEK", "norway": "NOK", "denmark": "DKK", "poland": "PLN", "canada": "CAD", "australia": "AUD", "japan": "JPY", "india": "INR",
    "brazil": "BRL", "brasil": "BRL", "mexico": "MXN",
}  # fmt: skip
CURRENCY = r"\b(eur|euro|usd|gbp|chf|sek|nok|dkk|pln|jpy|inr|cad|aud|brl)\b"
CUSTOMER_WORDS = [
    "member",
    "guest",
    "donor",
    "client",
    "subscriber",
    "patient",
    "passenger",
    "supporter",
    "visitor",
    "shopper",
    "user",
    "household",
]
PURCHASE_WORDS = ["order", "booking", "gift", "donation", "flight", "visit"]


def plain(text: str) -> str:
    """A header or a value as small letters and digits without accents, words apart."""
    parted = re.sub(r"(?<=[a-zà-ÿ]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text.replace("ß", "ss"))
    bare = unicodedata.normalize("NFKD", parted).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def rank(role: str, header: str) -> int | None:
    """How early a pattern of the role fits a header (0: best); None where none does, or a word speaks against it."""
    words = plain(header)
    words = re.sub(CURRENCY, "", words).strip() or words  # `Sum EUR` is a sum
    if role in AGAINST and re.search(rf"\b({AGAINST[role]})\b", words):
        return None
    return next((place for place, form in enumerate(ROLES[role]) if re.fullmatch(form, words)), None)
