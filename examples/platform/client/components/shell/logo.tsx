export function Logo() {
  return (
    <span className="logo">
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <rect className="logo-ground" width="32" height="32" rx="8" />
        <path
          className="logo-line"
          d="M7 12V9a2 2 0 0 1 2-2h3M20 7h3a2 2 0 0 1 2 2v3M25 20v3a2 2 0 0 1-2 2h-3M12 25H9a2 2 0 0 1-2-2v-3M12.5 13.2v1M19.5 13.2v1M12.2 18.5c1 1.2 2.3 1.8 3.8 1.8s2.8-.6 3.8-1.8"
        />
      </svg>
      facerec
    </span>
  );
}
