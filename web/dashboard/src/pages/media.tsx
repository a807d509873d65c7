// The media library: what devices may be told to play.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2, Upload as UploadIcon } from "lucide-react";
import { useId, useState } from "react";
import { useParameter } from "../address";
import { Problem, apiPath, get, query, remove, upload } from "../api";
import { here } from "../parts/civil";
import { Card, Days } from "../parts/figures";
import { More, useList } from "../parts/lists";
import { done, failed, inWords } from "../parts/toasts";
import { Search } from "../parts/search_field";
import { Empty, Heading, Loaded, RowMenu, Toolbar } from "../parts/ui";
import type { Media, Page, Schedule, Site } from "../types";
import { bytes, day, number, t } from "../words";

export default function MediaPage() {
  const queries = useQueryClient();
  const [part, setPart] = useParameter("q", "", true);
  const media = useList<Media>("/media", { q: part });
  const stats = useQuery({ queryKey: ["/media/stats"], queryFn: () => get(`/media/stats${query({ tz: here() })}`) });
  return (
    <>
      <Heading title={t("Media")} />
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
                <Days title={t("Uploads by day")} bars={said.uploads_per_day.map((each) => [each.day, each.count])} />
              </section>
            )}
          </>
        )}
      </Loaded>
      <Toolbar>
        <Search label={t("Search media…")} value={part} onChange={setPart} />
      </Toolbar>
      <Loaded of={media}>
        {(items) =>
          items.length ? (
            <ul className="media">
              {items.map((each) => (
                <FileCard key={each.id} media={each} />
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

const IN_USE = 409;
const COUNTED = 1_000;

/** How many schedules need it: those that play again, or the one that has not ended. */
async function neededBy(media: Media): Promise<number> {
  const { items } = await get<Page<Schedule>>(`/media-schedules${query({ media_id: media.id, limit: COUNTED })}`);
  return items.filter((each) => each.next_due_at !== null).length || items.length;
}

function FileCard({ media }: { media: Media }) {
  const queries = useQueryClient();
  const [inUse, setInUse] = useState(0);
  async function discard() {
    try {
      await remove(`/media/${media.id}`);
    } catch (error) {
      const many = error instanceof Problem && error.status === IN_USE ? await neededBy(media) : 0;
      if (!many) throw error;
      setInUse(many);
      return;
    }
    done(t("Deleted"));
    await queries.invalidateQueries();
  }
  return (
    <li>
      <Preview media={media} />
      <div className="row">
        <strong>{media.filename}</strong>
        <RowMenu
          of={media.filename}
          actions={[
            {
              name: t("Delete"),
              icon: Trash2,
              kind: "danger",
              title: t("Delete {name}", { name: media.filename }),
              ask: t("This can't be undone."),
              run: discard,
            },
          ]}
        />
      </div>
      <span className="quiet">
        {media.content_type}, {bytes(media.size)}
        {media.width !== undefined && `, ${media.width} × ${media.height}`}, {day(media.created_at)}
      </span>
      <a href={apiPath(`/media/${media.id}/content`)} download={media.filename}>
        {t("Download")}
      </a>
      {inUse > 0 && (
        <p className="problem" role="alert">
          <a href={`#/schedules?view=list&media=${media.id}`}>
            {t("In use by {n} schedules", { n: inUse })}
          </a>
        </p>
      )}
    </li>
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
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is for a mouse; the field inside is for everybody
    <section
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void send(event.dataTransfer.files);
      }}
    >
      <label className="drop" htmlFor={id}>
        <UploadIcon aria-hidden="true" />
        {t("Drag files here or browse")}
        <input
          id={id}
          type="file"
          multiple
          disabled={sending !== null}
          onChange={(event) => void send(event.target.files).finally(() => (event.target.value = ""))}
        />
      </label>
      {sending && (
        <p role="status">
          <progress aria-label={t("Uploading {name}", { name: sending.name })} max={1} value={sending.part} /> {sending.name},{" "}
          {number(sending.part * 100, 0)} %
        </p>
      )}
    </section>
  );
}
