import { expect, test } from "vitest";
import { agentName } from "../src/parts/agent";

const CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0";

test("a browser has the name that people know, a program its own", () => {
  expect(agentName(`Mozilla/5.0 (X11; Linux x86_64) ${CHROME} Safari/537.36`)).toBe("Chrome (Linux)");
  expect(agentName(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36 Edg/142.0`)).toBe("Edge (Windows)");
  expect(agentName(`Mozilla/5.0 (Linux; Android 15) ${CHROME} Mobile Safari/537.36`)).toBe("Chrome (Android)");
  expect(agentName("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0")).toBe("Firefox (macOS)");
  const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";
  expect(agentName(iphone)).toBe("Safari (iOS)");
  expect(agentName("python-httpx/0.28.1")).toBe("python-httpx/0.28.1");
  expect(agentName("")).toBe("");
});
