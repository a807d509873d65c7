"""Why a form is refused is said in the reader's language, once, beside its field and with its
label: no name of the API, no English detail."""

import re

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.dashboard.refusals import ENGLISH, Vietnamese, check_words
from tests.dashboard.screen import Screens, go
from tests.real.harness import PASSWORD, Person, Roost

EXECUTABLE = "application/vnd.microsoft.portable-executable"


@pytest.fixture
def vi(screens: Screens) -> Vietnamese:
    return Vietnamese(screens)


def opened(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def chosen(page: Page, name: str, item: str) -> None:
    """From the menu of a row."""
    page.get_by_role("button", name=f"Thao tác với {name}").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def discard(page: Page) -> None:
    """Leave a dialog in which something was typed."""
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name="Bỏ", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_signing_in_and_up(vi: Vietnamese, ada: Person) -> None:
    page = vi.page(None)
    form = vi.form(page, "password")
    form.refuse("Email là bắt buộc", email="", password="x")
    form.refuse("Email phải là địa chỉ email", email="ada", password="x")
    form.refuse("Email hoặc mật khẩu không đúng", email=ada.email, password="not the password")
    page.get_by_role("button", name="Tạo tài khoản").click()
    form.refuse("Mật khẩu phải có ít nhất 8 ký tự", email="new@example.org", password="short")
    form.refuse("Đã có tài khoản dùng email này", email=ada.email, password=PASSWORD)
    form.refuse("Email phải là địa chỉ email", email="a b@example.org")
    page.reload()
    page.get_by_role("button", name="Quên mật khẩu?").click()
    none = "Máy chủ này chưa thiết lập email. Hãy nhờ quản trị viên đặt lại mật khẩu."
    expect(page.get_by_role("dialog")).to_contain_text(none)
    expect(page.get_by_role("dialog").locator("form")).to_have_count(0)


def test_devices_feeds_and_commands(vi: Vietnamese, ada: Person) -> None:
    device = ada.device("used-1", "used")
    page = vi.page(ada, "/devices")
    opened(page, "Thêm thiết bị")
    form = vi.form(page, "device_code")
    characters = "Mã thiết bị phải gồm 1 đến 64 chữ cái, chữ số, dấu gạch ngang hoặc gạch dưới"
    silence = "Coi là ngoại tuyến sau (giây)"
    form.refuse("Mã thiết bị là bắt buộc", device_code="")
    form.refuse(characters, device_code="a b")
    form.refuse("Bạn đã có thiết bị 'used-1'", device_code="used-1")
    form.refuse(f"{silence} phải từ 1 trở lên", device_code="new-1", offline_after_s="0")
    form.refuse(f"{silence} không được vượt quá 2.592.000", offline_after_s="9999999")
    form.refuse(f"{silence} phải là số nguyên", offline_after_s="1.5")
    # The credentials are shown this once, also where the first feed is refused.
    page.locator("[name=offline_after_s]").fill("300")
    page.locator("[name=feed]").fill("ts")
    page.get_by_role("dialog").locator("button[type=submit]").click()
    reserved = "Chưa tạo được kênh đầu tiên: Mã kênh không được là ts, id hoặc values"
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(reserved)
    expect(page.get_by_role("dialog")).to_contain_text("mosquitto_pub")
    check_words(page, form.said, [reserved])
    page.keyboard.press("Escape")
    go(page, f"/devices/{device['id']}?tab=settings")
    settings = vi.form(page, "offline_alarm")
    settings.refuse("Tên là bắt buộc", name="")
    settings.refuse(f"{silence} không được vượt quá 2.592.000", name="x", offline_after_s="9999999")
    page.get_by_role("button", name="Bỏ thay đổi").click()
    go(page, f"/devices/{device['id']}?tab=commands")
    command = vi.form(page, "payload")
    command.refuse("Lệnh chỉ được có chữ cái, chữ số và các dấu . : _ -", type="re boot")
    command.refuse("JSON không hợp lệ", type="reboot", payload="{")
    go(page, f"/devices/{device['id']}")
    opened(page, "Thêm kênh")
    feed = vi.form(page, "key")
    feed.refuse(
        "Mã kênh phải gồm 1 đến 64 chữ thường, chữ số, dấu gạch ngang hoặc gạch dưới", key="A"
    )
    feed.refuse("Mã kênh không được là ts, id hoặc values", key="ts")
    feed.refuse("Ở đây đã có kênh 'used'", key="used")
    feed.refuse("Tối đa không được nhỏ hơn giá trị tối thiểu", min_value="5", max_value="1")


def test_a_feed_and_its_alarm(vi: Vietnamese, ada: Person) -> None:
    feed = ada.device("alarm-1", "t")["feeds"]["t"]
    page = vi.page(ada, f"/feeds/{feed}")
    form = vi.form(page, "hysteresis")
    form.refuse("Tối đa không được nhỏ hơn giá trị tối thiểu", min_value="5", max_value="1")
    form.refuse(
        "Số giá trị liên tiếp trước khi báo động không được vượt quá 1.000",
        max_value="9",
        after_count="1001",
    )
    form.refuse("Thời gian lưu (ngày) phải từ 1 trở lên", after_count="1", retain_days="0")
    archived = ada.device("gone-1", "t")
    assert ada.call("DELETE", f"/devices/{archived['id']}").status_code == 204
    go(page, f"/feeds/{archived['feeds']['t']}")
    form.refuse(
        "Nhận dữ liệu không bật được: thiết bị của kênh này đã bị xóa", enabled="on", name="x"
    )


def test_media_and_schedules(vi: Vietnamese, ada: Person) -> None:
    device = ada.device("plays-1")
    page = vi.page(ada, "/media")
    said = vi.form(page, "file").said
    box = page.get_by_label("Kéo tệp vào đây")
    supported = "không được hỗ trợ. Hỗ trợ: ảnh, video, âm thanh, PDF, văn bản"
    for name, content, text in (
        ("list.bin", bytes(range(80)), f"list.bin: Loại tệp này {supported}"),
        (
            "promo.exe",
            b"MZ\x90\x00\x03" + bytes(80),
            f"promo.exe: Đây có vẻ là {EXECUTABLE}, một loại tệp {supported}",
        ),
        ("empty.txt", b"", "empty.txt: Tệp không có nội dung"),
    ):
        box.set_input_files([FilePayload(name=name, mimeType="text/plain", buffer=content)])
        expect(page.locator(".toast").filter(has_text=text)).to_be_visible()
        check_words(page, said, [text])
        page.locator(".toast").get_by_role("button").click()
    sent = ada.call("POST", "/media", files={"file": ("a.txt", b"hello", "text/plain")}).json()
    plan = {"media_id": sent["id"], "device_id": device["id"]}
    schedule = ada.post("/media-schedules", {**plan, "trigger_time": "2099-01-01T00:00:00Z"})
    page.reload()
    chosen(page, "a.txt", "Xóa")
    page.get_by_role("dialog").get_by_role("button", name="Xóa", exact=True).click()
    used = "Đang dùng trong 1 lịch phát"
    expect(page.get_by_role("link", name=used)).to_be_visible()
    check_words(page, said, [used])
    go(page, "/schedules")
    opened(page, "Lịch phát mới")
    form = vi.form(page, "misfire")
    form.refuse("Bắt đầu là bắt buộc", at="")
    past = re.compile(r"^Bắt đầu đã qua [\d.]+ giây, hoặc bị loại trừ$")
    form.page.locator("[name=at]").fill("2026-01-01T08:00:00")
    form.page.locator("form button[type=submit]").last.click()
    expect(page.get_by_role("alert")).to_have_text(past)
    check_words(page, form.said, page.get_by_role("alert").all_inner_texts())
    form.refuse(
        "Quy tắc lặp lại: FREQ=X: phải là một trong "
        "YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY",
        at="2099-01-01T08:00:00",
        repeats="own",
        rule="FREQ=X",
    )
    form.refuse("Quy tắc lặp lại không có FREQ", rule="COUNT=2")
    delay = "Trễ tối đa (giây)"
    form.refuse(f"{delay} phải từ 0 trở lên", repeats="once", grace_s="-1")
    discard(page)
    go(page, f"/schedules/{schedule['id']}")
    form.refuse("Lặp lại không có FREQ", recurrence="COUNT=2")


def test_the_shop(vi: Vietnamese, ada: Person) -> None:
    body = {"name": "Bánh mì", "sku": "P-2", "price": "9.90", "stock": 10}
    product = ada.post("/products", {**body, "stock": 11})
    placed = ada.post("/orders", {"items": [{"product_id": product["id"], "quantity": 1}]})
    ada.post("/products", {**body, "name": "Phở", "sku": "P-3"})
    page = vi.page(ada, "/shop?tab=products")
    opened(page, "Thêm sản phẩm")
    form = vi.form(page, "sku")
    form.refuse("Tên là bắt buộc", sku="P-9", price="1")
    form.refuse("Giá phải là một số tiền như 9.90, dưới một tỷ", name="x", price="9,90")
    form.refuse("Giá phải là một số tiền như 9.90, dưới một tỷ", price="1.23456")
    form.refuse("Tồn kho phải từ 0 trở lên", price="1", stock="-1")
    form.refuse("Mô tả chỉ được có tối đa 2.000 ký tự", stock="1", description="x" * 2001)
    form.refuse("Bạn đã có sản phẩm 'P-2'", description="", sku="P-2")
    discard(page)
    chosen(page, "Phở", "Sửa")
    form.refuse("Bạn đã có sản phẩm 'P-2'", sku="P-2")
    page.keyboard.press("Escape")
    go(page, "/shop")
    opened(page, "Đơn hàng mới")
    order = vi.form(page, "quantity")
    order.refuse("Chỉ còn 10 Bánh mì trong kho", quantity="9999")
    order.refuse("Số lượng không được vượt quá 1.000.000", quantity="2000000")
    order.refuse("Số lượng phải từ 1 trở lên", quantity="0")
    discard(page)
    # Somebody else was faster, and the page has not heard of it.
    late: list[Route] = []
    page.route("**/api/v1/orders?*", lambda route: late.append(route))
    path = f"/orders/{placed['id']}"
    assert ada.call("PATCH", path, json={"status": "completed"}).status_code == 200
    chosen(page, "1 × Bánh mì", "Hủy đơn hàng")
    page.get_by_role("dialog").get_by_role("button", name="Hủy đơn hàng").click()
    ended = "Đơn hàng này đã hoàn tất"
    expect(page.locator(".toast").filter(has_text=ended)).to_be_visible()
    check_words(page, order.said, [ended])
    for each in late:
        each.continue_()


def test_the_account_and_what_it_lets_in(vi: Vietnamese, ada: Person, bob: Person) -> None:
    page = vi.page(ada, "/settings")
    email = vi.form(page, "email")
    email.refuse("Mật khẩu hiện tại là bắt buộc", email="ada2@example.org", current_password="")
    email.refuse("Mật khẩu hiện tại không đúng", current_password="not the password")
    email.refuse("Đã có tài khoản dùng email này", email=bob.email, current_password=PASSWORD)
    page.get_by_role("button", name="Bỏ thay đổi").first.click()
    page.reload()
    password = vi.form(page, "password")
    password.refuse("Mật khẩu mới phải có ít nhất 8 ký tự", current_password="x", password="short")
    password.refuse("Mật khẩu hiện tại không đúng", password="long enough it is")
    go(page, "/settings?tab=keys")
    key = vi.form(page, "scope")
    key.refuse("Tên là bắt buộc", name="")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://example.org/", "URL phải bắt đầu bằng https:// hoặc http://"),
        ("http://10.0.0.1/", "URL thuộc mạng riêng; hãy nhờ quản trị viên cho phép"),
        (
            "https://a:b@example.org/",
            "URL không được chứa thông tin đăng nhập; tin gửi đi đã được ký",
        ),
    ],
)
def test_webhooks(vi: Vietnamese, ada: Person, url: str, text: str) -> None:
    page = vi.page(ada, "/settings?tab=webhooks")
    vi.form(page, "url").refuse(text, url=url)


@pytest.mark.parametrize(
    ("locale", "short", "used"),
    [
        (
            "vi-VN",
            "Mật khẩu phải có ít nhất 8 ký tự.",
            "Liên kết này đã hết hạn hoặc đã được dùng. Hãy yêu cầu liên kết mới.",
        ),
        (
            "en-GB",
            "The password must have at least 8 characters.",
            "This link has expired or was already used. Request a new one.",
        ),
    ],
)
def test_the_page_for_a_new_password_speaks_as_the_browser(
    screens: Screens, roost: Roost, locale: str, short: str, used: str
) -> None:
    page = screens.new(locale=locale)
    page.goto(f"{roost.url}/reset#no-such-token")
    for password, text in (("short", short), ("long enough it is", used)):
        page.locator("#password").fill(password)
        page.get_by_role("button").click()
        expect(page.get_by_role("status")).to_have_text(text)
    assert bool(ENGLISH.search(page.locator("main").inner_text())) == (locale == "en-GB")
