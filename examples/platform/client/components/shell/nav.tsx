"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import { Icon, type IconName } from "@/components/ui/icons";
import { useStore } from "@/lib/store";
import { type Upload, uploads } from "@/lib/uploads";
import { Logo } from "./logo";

const places: { href: string; also?: string; label: string; icon: IconName }[] = [
  { href: "/people/", also: "/person/", label: "People", icon: "people" },
  { href: "/enrol/", label: "Enrol", icon: "enrol" },
  { href: "/videos/", also: "/session/", label: "Videos", icon: "video" },
  { href: "/search/", label: "Search", icon: "search" },
  { href: "/settings/", label: "Settings", icon: "settings" },
];

const none: Upload[] = [];

export function Nav({ name }: { name: string }) {
  const here = usePathname();
  const sending = useStore(uploads, none).filter((upload) => ["sending", "retrying", "waiting"].includes(upload.state));
  const total = sending.reduce((sum, upload) => sum + upload.file.size, 0);
  const percent = Math.floor((100 * sending.reduce((sum, upload) => sum + upload.sent, 0)) / (total || 1));
  return (
    <nav className="nav" aria-label="Main">
      <Link href="/people/" className="nav-logo" aria-label="facerec, people">
        <Logo />
      </Link>
      <ul>
        {places.map(({ href, also, label, icon }) => (
          <li key={href}>
            <Link href={href} aria-current={here === href || here === also ? "page" : undefined}>
              <Icon name={icon} />
              <span>{label}</span>
              {href === "/videos/" && sending.length > 0 && (
                <span className="nav-note">
                  <span className="unseen">uploading </span>
                  {percent}%
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
      <p className="nav-who">
        <Icon name="key" />
        {name}
      </p>
    </nav>
  );
}
