"""Exports as many systems and languages write them, made of one small shop: what `clv new` is to recognise in each.

A column is its header, what stands in it, and what it is of ours (empty: nothing that is needed). Every second export
was kept back while the guessing was made; `HELD_BACK` has those.
"""

# ruff: noqa: E501 (a table)

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST = [
    "Anna",
    "Ben",
    "Carla",
    "Daniel",
    "Eva",
    "Felix",
    "Greta",
    "Henri",
    "Ines",
    "Jonas",
    "Klara",
    "Luis",
    "Marie",
    "Nils",
    "Olga",
    "Paul",
]
LAST = ["Meyer", "Dupont", "Garcia", "Smith", "Rossi", "Jansen", "Novak", "Brown", "Weber", "Martin", "Lopez", "Jones"]
GOODS = ["Cup", "Jug", "Plate, large", "Lamp", "Candle", "Vase", "Basket", "Cushion", "Clock", "Mirror", "Bowl"]


@dataclass(frozen=True)
class Row:
    """One line of an order of the small shop."""

    order: int
    line: int
    customer: int
    at: dt.datetime
    good: int
    quantity: int
    price: float
    ordered: float  # what the whole order costs

    @property
    def total(self) -> float:
        return self.quantity * self.price


Maker = Callable[[Row], str]
Columns = list[tuple[str, Maker, str]]


@dataclass(frozen=True)
class Export:
    """One export: its columns, whether its rows are lines of orders, and how they are written."""

    name: str
    columns: Columns
    lines: bool = False
    delimiter: str = ","
    dates: str = "ISO"
    decimal: str = "."
    kind: str = "purchases"
    unit: str = ""
    expected: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=self.delimiter)
        writer.writerow([header for header, _, _ in self.columns])
        for row in rows(self.name, self.lines):
            writer.writerow([maker(row) for _, maker, _ in self.columns])
        return stream.getvalue()

    def roles(self) -> dict[str, str]:
        return {ours: header for header, _, ours in self.columns if ours}


def rows(seed: str, lines: bool, orders: int = 120) -> list[Row]:
    """Orders of some 40 customers over a year and a half, sorted by time."""
    rng = random.Random(seed)
    found = []
    start = dt.datetime(2024, 1, 3, 8)
    moments = sorted(start + dt.timedelta(minutes=rng.randrange(540 * 24 * 60)) for _ in range(orders))
    for order, at in enumerate(moments):
        customer = min(rng.randrange(40), rng.randrange(40))
        bought = [(rng.randrange(len(GOODS)), rng.randint(1, 6)) for _ in range(rng.randint(1, 4) if lines else 1)]
        ordered = sum(quantity * price(good) for good, quantity in bought)
        found += [
            Row(order, line, customer, at, good, quantity, price(good), ordered)
            for line, (good, quantity) in enumerate(bought)
        ]
    return found


def price(good: int) -> float:
    return round(2.35 + 3.17 * good, 2)


def number(pattern: str, base: int = 1000) -> tuple[Maker, Maker]:
    """Order and customer written alike: by a pattern and a number to begin with."""
    return (lambda r: pattern.format(base + r.order)), (lambda r: pattern.format(base + 7 * r.customer))


def order(pattern: str = "{}", base: int = 1000) -> Maker:
    return lambda r: pattern.format(base + r.order)


def customer(pattern: str = "{}", base: int = 12000) -> Maker:
    return lambda r: pattern.format(base + 7 * r.customer)


def when(form: str = "%Y-%m-%d %H:%M:%S") -> Maker:
    return lambda r: r.at.strftime(form)


def later(form: str, days: int = 3) -> Maker:
    return lambda r: (r.at + dt.timedelta(days=days)).strftime(form)


def money(of: str = "total", form: str = "{:.2f}", share: float = 1.0) -> Maker:
    def written(r: Row) -> str:
        return form.format(share * getattr(r, of))

    return written


def german(of: str = "total", share: float = 1.0, form: str = "{}") -> Maker:
    def written(r: Row) -> str:
        text = f"{share * getattr(r, of):,.2f}"
        return form.format(text.replace(",", " ").replace(".", ",").replace(" ", "."))

    return written


def some(*values: str) -> Maker:
    return lambda r: values[(7 * r.order + 3 * r.customer) % len(values)]


def mostly(value: str, other: str, every: int = 9) -> Maker:
    return lambda r: other if r.order % every == 4 else value


def of_customer(*values: str) -> Maker:
    return lambda r: values[r.customer % len(values)]


def mail(r: Row) -> str:
    return f"{FIRST[r.customer % 16]}.{LAST[r.customer % 12]}{r.customer}@example.org".lower()


def full_name(r: Row) -> str:
    return f"{FIRST[r.customer % 16]} {LAST[r.customer % 12]}"


def first_name(r: Row) -> str:
    return FIRST[r.customer % 16]


def last_name(r: Row) -> str:
    return LAST[r.customer % 12]


def good(r: Row) -> str:
    return GOODS[r.good]


def sku(r: Row) -> str:
    return f"{84000 + r.good * 31}{'ABC'[r.good % 3]}"


def quantity(r: Row) -> str:
    return str(r.quantity)


def nothing(r: Row) -> str:
    return ""


def phone(r: Row) -> str:
    return f"+49 30 {100000 + 37 * r.customer}"


def post_code(r: Row) -> str:
    return f"{10000 + 113 * r.customer}"


COUNTRIES = of_customer("Germany", "Germany", "Austria", "Germany", "Switzerland")

EXPORTS = [
    Export("plain", [
        ("customer_id", customer(), "customer_id"), ("date", when("%Y-%m-%d"), "occurred_at"),
        ("amount", money(), "amount"),
    ]),
    Export("cdnow", [
        ("customer_id", customer("{}", 1), "customer_id"), ("date", when("%Y-%m-%d"), "occurred_at"),
        ("n_cds", quantity, "quantity"), ("amount", money(), "amount"),
    ]),
    Export("online retail", [
        ("Invoice", order("{}", 489434), "order_id"), ("StockCode", sku, "product_id"), ("Description", good, "product"),
        ("Quantity", quantity, "quantity"), ("InvoiceDate", when(), "occurred_at"),
        ("Price", money("price"), "price"), ("Customer ID", customer("{}.0"), "customer_id"),
        ("Country", COUNTRIES, "category"),
    ], lines=True, expected={"amount": "Quantity * Price"}),
    Export("online retail, the second", [
        ("InvoiceNo", order("{}", 536365), "order_id"), ("StockCode", sku, "product_id"),
        ("Description", good, "product"), ("Quantity", quantity, "quantity"),
        ("InvoiceDate", when("%m/%d/%Y %H:%M"), "occurred_at"), ("UnitPrice", money("price"), "price"),
        ("CustomerID", customer(), "customer_id"), ("Country", COUNTRIES, "category"),
    ], lines=True, dates="%m/%d/%Y %H:%M", expected={"amount": "Quantity * UnitPrice"}),
    Export("superstore", [
        ("Row ID", lambda r: str(10 * r.order + r.line), ""), ("Order ID", order("CA-2024-{}"), "order_id"),
        ("Order Date", when("%m/%d/%Y"), "occurred_at"), ("Ship Date", later("%m/%d/%Y"), ""),
        ("Ship Mode", some("First Class", "Same Day"), ""), ("Customer ID", customer("CG-{}"), "customer_id"),
        ("Customer Name", full_name, ""), ("Segment", of_customer("Consumer", "Corporate"), "category"),
        ("City", of_customer("Houston", "Austin"), ""), ("Product ID", sku, "product_id"),
        ("Category", some("Furniture", "Technology"), ""), ("Product Name", good, "product"),
        ("Sales", money(), "amount"), ("Quantity", quantity, "quantity"), ("Discount", some("0", "0.2"), ""),
        ("Profit", money("total", "{:.4f}", 0.2), ""),
    ], lines=True, dates="%m/%d/%Y"),
    Export("marketplace of Brazil", [
        ("order_id", order("{:032x}", 7_777_777), "order_id"), ("customer_unique_id", customer("{:032x}"), "customer_id"),
        ("order_status", mostly("delivered", "canceled"), "status"),
        ("order_purchase_timestamp", when(), "occurred_at"), ("order_delivered_customer_date", later("%Y-%m-%d %H:%M:%S"), ""),
        ("payment_type", some("credit_card", "boleto"), ""), ("payment_value", money(), "amount"),
        ("customer_state", of_customer("SP", "RJ", "MG"), "category"),
    ]),
    Export("German till", [
        ("Bonnummer", order(), "order_id"), ("Datum", when("%d.%m.%Y %H:%M"), "occurred_at"),
        ("Kundennummer", customer("K{}"), "customer_id"), ("Artikelnummer", sku, "product_id"),
        ("Artikelbezeichnung", good, "product"), ("Menge", quantity, "quantity"),
        ("Einzelpreis", german("price"), "price"), ("Gesamtpreis", german(), "amount"),
    ], lines=True, delimiter=";", dates="%d.%m.%Y %H:%M", decimal=","),
    Export("German shop", [
        ("Bestellnummer", order("B-{}"), "order_id"), ("Bestelldatum", when("%d.%m.%Y"), "occurred_at"),
        ("Kunden-Nr.", customer(), "customer_id"), ("E-Mail", mail, "email"), ("Vorname", first_name, ""),
        ("Nachname", last_name, ""), ("PLZ", post_code, ""), ("Land", of_customer("DE", "AT", "DE"), "category"),
        ("Zwischensumme", german("ordered", 0.84), ""), ("MwSt", german("ordered", 0.16), "tax"),
        ("Versandkosten", german("ordered", 0.05), "shipping"), ("Gesamtbetrag", german("ordered"), "amount"),
        ("Währung", some("EUR"), "currency"), ("Status", mostly("abgeschlossen", "storniert"), "status"),
    ], delimiter=";", dates="%d.%m.%Y", decimal=","),
    Export("French shop", [
        ("Référence", order("CMD{}"), "order_id"), ("N° client", customer(), "customer_id"),
        ("Date de commande", when("%d/%m/%Y %H:%M"), "occurred_at"), ("Total TTC", german("ordered"), "amount"),
        ("Frais de port", german("ordered", 0.1), "shipping"), ("Moyen de paiement", some("CB", "PayPal"), ""),
        ("État", mostly("Livré", "Annulé"), "status"), ("Adresse e-mail", mail, "email"),
    ], delimiter=";", dates="%d/%m/%Y %H:%M", decimal=","),
    Export("French till", [
        ("Ticket", order(), "order_id"), ("Date", when("%d/%m/%Y"), "occurred_at"),
        ("Carte fidélité", customer("{}", 90000), "customer_id"), ("Article", good, "product"),
        ("Quantité", quantity, "quantity"), ("Prix unitaire", german("price"), "price"),
        ("Montant", german(), "amount"), ("Magasin", of_customer("Lyon", "Paris", "Lille"), "category"),
    ], lines=True, delimiter=";", dates="%d/%m/%Y", decimal=","),
    Export("Spanish shop", [
        ("Nº pedido", order(), "order_id"), ("Fecha", when("%d/%m/%Y"), "occurred_at"),
        ("ID cliente", customer(), "customer_id"), ("Correo electrónico", mail, "email"),
        ("Importe total", german("ordered"), "amount"), ("IVA", german("ordered", 0.21), "tax"),
        ("Estado", mostly("Completado", "Cancelado"), "status"), ("Provincia", of_customer("Madrid", "Sevilla"), "category"),
    ], delimiter=";", dates="%d/%m/%Y", decimal=","),
    Export("Spanish lines", [
        ("Factura", order("F{}"), "order_id"), ("Fecha factura", when("%d-%m-%Y"), "occurred_at"),
        ("Código cliente", customer(), "customer_id"), ("Producto", good, "product"), ("Cantidad", quantity, "quantity"),
        ("Precio", german("price"), "price"), ("Importe", german(), "amount"),
    ], lines=True, delimiter=";", dates="%d-%m-%Y", decimal=","),
    Export("Italian invoices", [
        ("Numero fattura", order(), "order_id"), ("Data fattura", when("%d/%m/%Y"), "occurred_at"),
        ("Codice cliente", customer("C{}"), "customer_id"), ("Ragione sociale", full_name, ""),
        ("Imponibile", german("ordered", 0.82), ""), ("IVA", german("ordered", 0.18), "tax"),
        ("Totale", german("ordered"), "amount"),
    ], delimiter=";", dates="%d/%m/%Y", decimal=","),
    Export("Dutch orders", [
        ("Bestelnummer", order(), "order_id"), ("Besteldatum", when("%d-%m-%Y %H:%M"), "occurred_at"),
        ("Klantnummer", customer(), "customer_id"), ("E-mailadres", mail, "email"),
        ("Totaalbedrag", german("ordered"), "amount"), ("Verzendkosten", german("ordered", 0.1), "shipping"),
    ], delimiter=";", dates="%d-%m-%Y %H:%M", decimal=","),
    Export("shop builder, orders", [
        ("Order Number", order("#{}"), "order_id"), ("Date created", when("%b %d, %Y"), "occurred_at"),
        ("Contact email", mail, "email"), ("Billing name", full_name, ""), ("Shipping rate", money("ordered", "{:.2f}", 0.1), "shipping"),
        ("Total", money("ordered"), "amount"), ("Currency", some("USD"), "currency"),
        ("Payment status", mostly("Paid", "Refunded"), "status"), ("Note from customer", nothing, ""),
    ], dates="%b %d, %Y", expected={"customer_id": "Contact email"}),
    Export("shop of one's own", [
        ("id", order(), "order_id"), ("created_at", when("%Y-%m-%dT%H:%M:%SZ"), "occurred_at"),
        ("updated_at", later("%Y-%m-%dT%H:%M:%SZ"), ""), ("user_id", customer(), "customer_id"),
        ("state", mostly("paid", "cancelled"), "status"), ("total_price", money("ordered"), "amount"),
        ("total_tax", money("ordered", "{:.2f}", 0.16), "tax"), ("currency", some("EUR"), "currency"),
    ]),
    Export("point of sale of America", [
        ("Date", when("%m/%d/%y"), "occurred_at"), ("Time", when("%H:%M:%S"), ""), ("Transaction ID", order("{:x}", 9_999_999), "order_id"),
        ("Gross Sales", money("ordered", "${:,.2f}"), ""), ("Discounts", money("ordered", "-${:,.2f}", 0.0), "discount"),
        ("Net Sales", money("ordered", "${:,.2f}"), "amount"), ("Tax", money("ordered", "${:,.2f}", 0.08), "tax"),
        ("Total Collected", money("ordered", "${:,.2f}", 1.08), ""), ("Customer ID", customer("CUS{}"), "customer_id"),
        ("Customer Name", full_name, ""), ("Location", of_customer("Main St", "Harbour"), "category"),
    ], dates="%m/%d/%y"),
    Export("payments", [
        ("id", order("ch_{:x}", 9_999_999), "order_id"), ("Created (UTC)", when("%Y-%m-%d %H:%M"), "occurred_at"),
        ("Amount", money("ordered"), "amount"), ("Amount Refunded", mostly("0.00", "2.35"), "refunded"),
        ("Currency", some("eur"), "currency"), ("Status", mostly("Paid", "Failed"), "status"),
        ("Customer ID", customer("cus_{}"), "customer_id"), ("Customer Email", mail, "email"), ("Fee", money("ordered", "{:.2f}", 0.03), ""),
        ("Card Brand", some("Visa", "MC"), ""),
    ]),
    Export("donations", [
        ("Donor ID", customer("D{}"), "customer_id"), ("Gift Date", when("%d %b %Y"), "occurred_at"),
        ("Gift Amount", money("total", "£{:,.2f}"), "amount"), ("Appeal", some("Spring", "Winter"), "category"),
        ("Receipt No", order(), "order_id"), ("Donor Name", full_name, ""),
    ], dates="%d %b %Y", unit="GBP"),
    Export("hotel", [
        ("Booking Reference", order("HB{}"), "order_id"), ("Guest ID", customer(), "customer_id"), ("Guest Name", full_name, ""),
        ("Booked On", when("%Y-%m-%d"), "occurred_at"), ("Check In", later("%Y-%m-%d", 10), ""), ("Check Out", later("%Y-%m-%d", 12), ""),
        ("Room Type", some("Double", "Suite"), "category"), ("Total Amount", money("ordered"), "amount"), ("Booking Status", mostly("Confirmed", "Cancelled"), "status"),
    ]),
    Export("gym", [
        ("member_no", customer(), "customer_id"), ("payment_date", when("%Y/%m/%d"), "occurred_at"), ("birth_date", of_customer("1980/01/01", "1990/02/03"), ""),
        ("fee_paid", money(), "amount"), ("plan", of_customer("basic", "plus"), "category"), ("join_date", of_customer("2020/01/01", "2021/05/06"), ""),
    ], dates="%Y/%m/%d"),
    Export("household panel", [
        ("household_key", customer("{}", 1), "customer_id"), ("BASKET_ID", order("{}", 26_984_851_472), "order_id"), ("TRANS_DATE", when("%Y%m%d"), "occurred_at"),
        ("PRODUCT_ID", sku, "product_id"), ("QUANTITY", quantity, "quantity"), ("SALES_VALUE", money(), "amount"), ("STORE_ID", of_customer("364", "31742"), "category"),
        ("RETAIL_DISC", money("total", "-{:.2f}", 0.1), "discount"),
    ], lines=True, dates="%Y%m%d"),
    Export("fashion", [
        ("t_dat", when("%Y-%m-%d"), "occurred_at"), ("customer_id", customer("{:064x}"), "customer_id"), ("article_id", lambda r: f"0{663713001 + r.good}", "product_id"),
        ("price", money("price", "{:.6f}"), "amount"), ("sales_channel_id", some("1", "2"), "category"),
    ], lines=True),
    Export("business software", [
        ("Order Reference", order("S{:05d}", 10), "order_id"), ("Order Date", when(), "occurred_at"), ("Customer", full_name, "customer_id"),
        ("Salesperson", some("Ann", "Bob"), ""), ("Untaxed Amount", money("ordered", "{:.2f}", 0.84), ""), ("Total", money("ordered"), "amount"), ("Status", mostly("Sales Order", "Cancelled"), "status"),
    ]),
    Export("accounting", [
        ("InvoiceNumber", order("INV-{}"), "order_id"), ("ContactName", full_name, ""), ("AccountNumber", customer("A{}"), "customer_id"),
        ("InvoiceDate", when("%d/%m/%Y"), "occurred_at"), ("DueDate", later("%d/%m/%Y", 30), ""), ("Total", money("ordered"), "amount"), ("TaxTotal", money("ordered", "{:.2f}", 0.2), "tax"),
        ("Currency", some("GBP"), "currency"), ("Type", mostly("Sales invoice", "Sales credit note"), ""),
    ], dates="%d/%m/%Y"),
    Export("marketplace", [
        ("amazon-order-id", order("302-1234567-{}"), "order_id"), ("purchase-date", when("%Y-%m-%dT%H:%M:%S+00:00"), "occurred_at"), ("order-status", mostly("Shipped", "Cancelled"), "status"),
        ("sku", sku, "product_id"), ("product-name", good, "product"), ("quantity", quantity, "quantity"), ("currency", some("EUR"), "currency"), ("item-price", money(), "amount"),
        ("shipping-price", money("total", "{:.2f}", 0.05), "shipping"), ("buyer-email", mail, "email"),
    ], lines=True, delimiter="\t", expected={"customer_id": "buyer-email"}),
    Export("handicraft market", [
        ("Sale Date", when("%m/%d/%y"), "occurred_at"), ("Order ID", order("{}", 2_900_000_000), "order_id"), ("Buyer User ID", customer("buyer{}"), "customer_id"), ("Full Name", full_name, ""),
        ("Number of Items", quantity, "quantity"), ("Currency", some("USD"), "currency"), ("Order Value", money("ordered"), ""), ("Order Total", money("ordered"), "amount"), ("Shipping", money("ordered", "{:.2f}", 0.1), "shipping"),
    ], dates="%m/%d/%y"),
    Export("open source shop", [
        ("ID", order("{:09d}", 1), "order_id"), ("Purchase Point", some("Main Website", "Outlet"), "category"), ("Purchase Date", when("%b %d, %Y %I:%M:%S %p"), "occurred_at"), ("Bill-to Name", full_name, ""),
        ("Grand Total (Purchased)", money("ordered", "€{:,.2f}"), "amount"), ("Status", mostly("Complete", "Canceled"), "status"), ("Customer Email", mail, "email"), ("Subtotal", money("ordered", "€{:,.2f}", 0.9), ""),
        ("Total Refunded", mostly("€0.00", "€2.35"), "refunded"),
    ], dates="%b %d, %Y %I:%M:%S %p", unit="EUR", expected={"customer_id": "Customer Email"}),
    Export("plug-in of a blog", [
        ("Order Number", order(), "order_id"), ("Order Status", mostly("Completed", "Refunded"), "status"), ("Order Date", when("%Y-%m-%d %H:%M"), "occurred_at"), ("Customer Note", nothing, ""),
        ("Email (Billing)", mail, "email"), ("Customer User ID", customer("{}", 3), "customer_id"), ("Order Total Amount", money("ordered"), "amount"), ("Order Refund Amount", mostly("0", "2.35"), "refunded"),
        ("Order Total Tax Amount", money("ordered", "{:.2f}", 0.19), "tax"), ("Order Shipping Amount", money("ordered", "{:.2f}", 0.05), "shipping"), ("Phone (Billing)", phone, ""),
    ]),
    Export("airline", [
        ("membership_number", customer("{}", 400_000_000), "customer_id"), ("flight_date", when("%Y-%m-%d"), "occurred_at"), ("miles_earned", lambda r: str(100 * r.quantity), "amount"),
        ("tier", of_customer("Basic", "Silver", "Gold"), "category"), ("route", some("FRA-LHR", "FRA-JFK"), ""),
    ]),
    Export("bank statement", [
        ("Buchungstag", when("%d.%m.%y"), "occurred_at"), ("Auftraggeber", full_name, "customer_id"), ("Verwendungszweck", lambda r: f"Rechnung {r.order}", ""), ("Betrag", german("ordered"), "amount"), ("Währung", some("EUR"), "currency"),
    ], delimiter=";", dates="%d.%m.%y", decimal=","),
    Export("data warehouse", [
        ("CUST_KEY", customer(), "customer_id"), ("TXN_TS", when("%Y-%m-%d %H:%M:%S.000"), "occurred_at"), ("TXN_ID", order(), "order_id"), ("NET_AMT", money("ordered"), "amount"), ("CCY", some("CHF"), "currency"), ("CHANNEL", some("web", "store"), "category"),
    ], delimiter="|"),
    Export("seconds", [
        ("visitorid", customer(), "customer_id"), ("timestamp", lambda r: str(int(r.at.replace(tzinfo=dt.UTC).timestamp())), "occurred_at"), ("transactionid", order(), "order_id"), ("revenue", money("ordered"), "amount"),
    ], dates="epoch seconds"),
    Export("milliseconds", [
        ("client", customer("u{}"), "customer_id"), ("event_time", lambda r: str(1000 * int(r.at.replace(tzinfo=dt.UTC).timestamp())), "occurred_at"), ("value", money("ordered"), "amount"), ("sku", sku, "product_id"),
    ], dates="epoch milliseconds"),
    Export("merchandise office", [
        ("Rechnungsnr", order("R{}"), "order_id"), ("Rechnungsdatum", when("%d.%m.%Y"), "occurred_at"), ("Debitor", customer("{}", 70000), "customer_id"), ("Firma", full_name, ""), ("Artikel", good, "product"), ("Anzahl", quantity, "quantity"),
        ("VK Preis", german("price"), "price"), ("Warengruppe", some("Deko", "Küche"), ""),
    ], lines=True, delimiter=";", dates="%d.%m.%Y", decimal=",", expected={"amount": "Anzahl * VK Preis"}),
    Export("old till", [
        ("receipt", order(), "order_id"), ("day", when("%d/%m/%y"), "occurred_at"), ("loyalty card", customer("{:08d}", 45), "customer_id"), ("paid", money("ordered", "{:.2f} EUR"), "amount"), ("branch", of_customer("North", "South"), "category"),
    ], dates="%d/%m/%y", unit="EUR"),
    Export("customers of a shop", [
        ("Customer ID", customer(), "customer_id"), ("First Name", first_name, "first_name"), ("Last Name", last_name, "last_name"), ("Email", mail, "email"), ("Accepts Email Marketing", of_customer("yes", "no"), "email_consent"),
        ("Total Spent", money("ordered"), ""), ("Total Orders", quantity, ""), ("Country", COUNTRIES, "region"),
    ], kind="customers"),
    Export("German customers", [
        ("Kundennummer", customer(), "customer_id"), ("Vorname", first_name, "first_name"), ("Nachname", last_name, "last_name"), ("E-Mail", mail, "email"), ("Newsletter", of_customer("ja", "nein"), "email_consent"), ("Kunde seit", when("%d.%m.%Y"), "joined_on"), ("Bundesland", of_customer("Bayern", "Hessen"), "region"),
    ], delimiter=";", dates="%d.%m.%Y", kind="customers"),
    Export("mail events", [
        ("message_id", order("m{}"), "message_id"), ("campaign_name", some("spring", "summer"), "campaign"), ("subscriber_id", customer(), "customer_id"), ("event", some("sent", "delivered", "opened", "clicked"), "event_type"), ("timestamp", when(), "occurred_at"),
    ], kind="email_events"),
    Export("more mail events", [
        ("Message Id", order("m{}"), "message_id"), ("Campaign", some("spring", "summer"), "campaign"), ("Customer Id", customer(), "customer_id"), ("Event Type", some("sent", "bounced", "opened", "unsubscribed"), "event_type"), ("Event Time", when("%m/%d/%Y %H:%M"), "occurred_at"), ("URL", nothing, ""),
    ], kind="email_events", dates="%m/%d/%Y %H:%M"),
]  # fmt: skip
TUNED, HELD_BACK = EXPORTS[0::2], EXPORTS[1::2]
