// The media library: what devices may be told to play.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useParameter } from "../address";
import { apiPath, get, remove, upload } from "../api";
import { Bars, Card } from "../parts/figures";
import { More, useList } from "../parts/lists";
import { done, failed, inWords } from "../parts/toasts";
import { Action, Empty, Heading, Loaded } from "../parts/ui";
import type { Media, MediaStats, Site } from "../types";
import { bytes, day, number, t } from "../words";

export default function MediaPage() {
  const queries = useQueryClient();
  const [part, setPart] = useParameter("q", "", true);
  const media = useList<Media>("/media", { q: part });
  const stats = useQuery({ queryKey: ["/media/stats"], queryFn: () => get<MediaStats>("/media/stats") });
  return (
    <>
      <Heading title={t("Media")}>
        <input
          type="search"
          aria-label={t("Search media…")}
          placeholder={t("Search media…")}
          value={part}
          onChange={(event) => setPart(event.target.value)}
        />
      </Heading>
      <Upload uploaded={() => void queries.invalidateQueries()} />
      <Loaded of={stats}>
        {(said) => (
          <>
            <div className="cards">
              <Card name={t("Files")} value={number(said.count)} />
              <Card name={t("Size")} value={bytes(said.bytes)} />
            </div>
            {said.count > 0 && (
              <section className="sheet">
                <Bars title={t("Uploads by day")} bars={said.uploads_per_day.map((each) => [each.day, each.count])} />
              </section>
            )}
          </>
        )}
      </Loaded>
      <Loaded of={media}>
        {(items) =>
          items.length ? (
            <ul className="media">
              {items.map((each) => (
                <li key={each.id}>
                  <Preview media={each} />
                  <strong>{each.filename}</strong>
                  <span className="quiet">
                    {each.content_type}, {bytes(each.size)}
                    {each.width !== undefined && `, ${each.width} × ${each.height}`}, {day(each.created_at)}
                  </span>
                  <div className="row">
                    <a href={apiPath(`/media/${each.id}/content`)} download={each.filename}>
                      {t("Download")}
                    </a>
                    <Action
                      kind="danger"
                      label={t("Delete {name}", { name: each.filename })}
                      ask={t("This can't be undone.")}
                      said={t("Deleted")}
                      run={() => remove(`/media/${each.id}`).then(() => queries.invalidateQueries())}
                    >
                      {t("Delete")}
                    </Action>
                  </div>
                </li>
              ))}
            </ul>
          ) : part ? (
            <p className="quiet">{t("No results")}</p>
          ) : (
            <Empty title={t("No media yet")}>
              <p>{t("Upload images, videos or audio, then schedule them.")}</p>
            </Empty>
          )
        }
      </Loaded>
      <More of={media} />
    </>
  );
}

function Preview({ media }: { media: Media }) {
  const source = apiPath(`/media/${media.id}/content`);
  if (media.content_type.startsWith("image/") && !media.content_type.includes("svg"))
    return <img src={source} alt={media.filename} loading="lazy" />;
  if (media.content_type.startsWith("video/")) return <video src={source} controls preload="none" />;
  if (media.content_type.startsWith("audio/")) return <audio src={source} controls preload="none" />;
  return <span className="none quiet">{media.content_type}</span>;
}

function Upload({ uploaded }: { uploaded: () => void }) {
  const id = useId();
  const most = useQueryClient().getQueryData<Site>(["site"])?.media_bytes_max;
  const [sending, setSending] = useState<{ name: string; part: number } | null>(null);
  async function send(files: FileList | null) {
    for (const file of files ?? []) {
      try {
        if (most !== undefined && file.size > most) throw new Error(t("File too large. The maximum is {size}.", { size: bytes(most) }));
        setSending({ name: file.name, part: 0 });
        await upload<Media>(file, (part) => setSending({ name: file.name, part }));
        done(t("Uploaded {name}", { name: file.name }));
      } catch (error) {
        failed(new Error(`${file.name}: ${inWords(error)}`));
      }
    }
    setSending(null);
    uploaded();
  }
  return (
    <section
      className="sheet"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void send(event.dataTransfer.files);
      }}
    >
      <label htmlFor={id}>{t("Drag files here or browse")}</label>
      <input
        id={id}
        type="file"
        multiple
        disabled={sending !== null}
        onChange={(event) => void send(event.target.files).finally(() => (event.target.value = ""))}
      />
      {sending && (
        <p role="status">
          <progress aria-label={t("Uploading {name}", { name: sending.name })} max={1} value={sending.part} /> {sending.name},{" "}
          {number(sending.part * 100, 0)} %
        </p>
      )}
    </section>
  );
}
